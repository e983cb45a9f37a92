"""Reconcile: what tonight's files and the live side tell together, concluded by carrier and committed as one night."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam import pvalue

from schemas.policy import Policy
from schemas.tables import HUB_SCANS
from transforms.hubs.stage import Staged
from transforms.hubs.take_files import Rewritten
from transforms.metrics import ROWS
from transforms.publish.lake import Lake
from transforms.reconcile.conclude import Concluded, conclude
from transforms.reconcile.evidence import gather
from transforms.reconcile.finish import finish_night
from transforms.reconcile.scope import Scope, find_scope

Task = tuple[Scope, int, str, list[str]]
"""What `conclude` takes."""


class GatherFn(beam.DoFn):
    """The shell around `find_scope` and `gather`: knows when all files have been taken."""

    NIGHT = "night"

    def __init__(self, lake: str, folder: str, policy: Policy, *, rebuild: bool) -> None:
        """Take the lake's path, the night's folder, the policy, and whether to conclude everything anew."""
        self.lake = Lake(lake)
        self.folder = Path(folder)
        self.policy = policy
        self.rebuild = rebuild

    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        """Give a task for each carrier; the scope and what was taken go to the end."""
        said = list(element[1])
        rewritten = [one for one in said if isinstance(one, Rewritten)]
        judged = [one for one in said if isinstance(one, Staged)]
        scope = find_scope(
            self.lake,
            self.folder,
            self.policy,
            [one.partition for one in rewritten],
            [one.waybills for one in rewritten],
            rebuild=self.rebuild,
        )
        scans = self._scans(scope, rewritten)
        carriers = sorted({*gather(scope), *scans})
        for number, carrier in enumerate(carriers):
            yield number, (scope, number, carrier, scans.get(carrier, []))
        yield pvalue.TaggedOutput(self.NIGHT, (scope, judged, rewritten))

    def _scans(self, scope: Scope, rewritten: list[Rewritten]) -> dict[str, list[str]]:
        """Give the files of scans of each carrier since the first day in scope, as they will be."""
        held = self.lake.partitions(HUB_SCANS, self.lake.held(HUB_SCANS, scope.since))
        for one in rewritten:
            held[tuple(one.partition)] = [f"{self.lake.uri(HUB_SCANS)}/{one.written.path}"] if one.written else []
        found: dict[str, list[str]] = {}
        for (_, carrier), files in sorted(held.items()):
            found.setdefault(carrier, []).extend(files)
        return found


class ConcludeFn(beam.DoFn):
    """The shell around `conclude`."""

    def process(self, element: tuple[int, Iterable[Task]]) -> Iterator[Concluded]:
        """Conclude what one carrier's files tell."""
        for task in element[1]:
            yield conclude(*task)


class FinishFn(beam.DoFn):
    """The shell around `finish_night`: the only step that changes what readers see."""

    def process(self, element: tuple[int, Iterable[Any]]) -> None:
        """Commit the night."""
        said = list(element[1])
        concluded = [one for one in said if isinstance(one, Concluded)]
        ((scope, judged, rewritten),) = (one for one in said if not isinstance(one, Concluded))
        for name, rows in finish_night(scope, judged, rewritten, concluded).items():
            ROWS.add(rows, name)


class Reconcile(beam.PTransform):
    """Conclude everything that tonight's files or the live side changed, and commit it as one night.

    Takes: a `Staged` for each file, a `Rewritten` for each partition of scans, and one more element so that there is a
        night without files too; global window.
    Gives: nothing. Shuffles to one, then by carrier, then to one again; what is shuffled is where things lie.
    """

    def __init__(self, lake: str, folder: str, policy: Policy, *, rebuild: bool = False) -> None:
        """Take the lake's path, the night's folder, the policy, and whether to conclude everything anew."""
        super().__init__()
        self.gather = GatherFn(lake, folder, policy, rebuild=rebuild)

    def expand(self, taken: beam.PCollection[Any]) -> beam.PCollection[None]:
        """Wire the three steps."""
        step = beam.ParDo(self.gather).with_output_types(tuple[int, Task], night=Any)
        gathered = (
            taken
            | "AllTaken" >> beam.Map(to_one).with_output_types(tuple[int, Any])
            | "WhenAllAreTaken" >> beam.GroupByKey()
            | "Gather" >> step.with_outputs(GatherFn.NIGHT, main="tasks")
        )
        concluded = (
            gathered.tasks
            | "ByCarrier" >> beam.GroupByKey()
            | "Conclude" >> beam.ParDo(ConcludeFn()).with_output_types(Concluded)
        )
        return (
            (concluded, gathered.night)
            | "AllConcluded" >> beam.Flatten()
            | "ToFinish" >> beam.Map(to_one).with_output_types(tuple[int, Any])
            | "WhenAllIsConcluded" >> beam.GroupByKey()
            | "Finish" >> beam.ParDo(FinishFn()).with_output_types(type(None))
        )


def to_one(said: Any) -> tuple[int, Any]:  # noqa: ANN401
    """Key everything alike: a night is one."""
    return 0, said
