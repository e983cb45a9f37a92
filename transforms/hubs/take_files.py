"""TakeFiles: bulk files become partitions of scans, written by the workers and not yet in the table."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import pvalue

from schemas.profiles import Profile
from schemas.tables import HUB_SCANS
from transforms.hubs.drop import File
from transforms.hubs.scans import Piece, write_scans
from transforms.hubs.stage import Partition, Staged, stage
from transforms.publish.lake import Lake, connect
from transforms.publish.partitions import Written
from transforms.publish.revise import relative

Fresh = tuple[File, list[Partition]]
"""A file that is news, and the partitions that hold what its predecessor said."""


class Rewritten(NamedTuple):
    """A partition of scans as it will be.

    Attributes:
        partition: which one.
        written: its new file; None where nothing is left of it.
        replaced: paths within the table's folder of the files that it takes the place of.
        waybills: file with the waybills that changed.
    """

    partition: Partition
    written: Written | None
    replaced: list[str]
    waybills: Path


class StageFn(beam.DoFn):
    """The shell around `stage`."""

    JUDGED = "judged"

    def __init__(self, folder: str, profiles: dict[str, Profile]) -> None:
        """Take the night's folder, and how carriers write their files."""
        self.folder = Path(folder)
        self.profiles = profiles

    def process(self, element: Fresh) -> Iterator[Any]:
        """Give the pieces of a file by partition, none for a partition that only its predecessor was in."""
        file, before = element
        staged = stage(file, self.profiles, self.folder)
        yield pvalue.TaggedOutput(self.JUDGED, staged)
        beam.metrics.Metrics.counter("milepost", f"files_{staged.file.state}").inc()
        beam.metrics.Metrics.counter("milepost", "scans_taken").inc(staged.file.scans)
        if staged.file.state == "taken":
            for partition in {*before, *staged.pieces}:
                yield tuple(partition), Piece(file.place, staged.pieces.get(partition, ""))


class WriteScansFn(beam.DoFn):
    """The shell around `write_scans`."""

    def __init__(self, lake: str, folder: str) -> None:
        """Take the lake's path and the night's folder."""
        self.lake = Lake(lake)
        self.folder = Path(folder)

    def start_bundle(self) -> None:
        """Look once what the lake holds, and open one connection: partitions are many, and most of them small."""
        self.held = self.lake.partitions(HUB_SCANS, self.lake.held(HUB_SCANS))
        self.db = connect(self.folder)

    def finish_bundle(self) -> None:
        """Close the connection."""
        self.db.close()

    def process(self, element: tuple[tuple[str, str], Iterable[Piece]]) -> Iterator[Rewritten]:
        """Write one partition."""
        partition, pieces = Partition(*element[0]), list(element[1])
        before = self.held.get(tuple(partition), [])
        waybills = self.folder / f"{os.urandom(8).hex()}.waybills"
        corrected = {piece.file for piece in pieces}
        said = [piece for piece in pieces if piece.path]
        written = write_scans(self.db, self.lake, partition, before, said, corrected, waybills)
        yield Rewritten(partition, written, relative(self.lake, HUB_SCANS, before), waybills)


class TakeFiles(beam.PTransform):
    """Judge bulk files and write the partitions of scans that they concern.

    Takes: (file, partitions that hold what its predecessor said), global window.
    Gives: the outputs `judged` (a `Staged` for each file) and `rewritten` (a `Rewritten` for each partition). Shuffles
        by day and carrier; what is shuffled is where the scans lie, not the scans.
    """

    def __init__(self, lake: str, folder: str, profiles: dict[str, Profile]) -> None:
        """Take the lake's path, the night's folder, and how carriers write their files."""
        super().__init__()
        self.lake = lake
        self.folder = folder
        self.profiles = profiles

    def expand(self, files: beam.PCollection[Fresh]) -> Any:  # noqa: ANN401
        """Wire the two steps."""
        step = beam.ParDo(StageFn(self.folder, self.profiles)).with_output_types(
            tuple[tuple[str, str], Piece], judged=Staged
        )
        staged = files | "Spread" >> beam.Reshuffle() | "Stage" >> step.with_outputs(StageFn.JUDGED, main="pieces")
        rewritten = (
            staged.pieces
            | "ByDayAndCarrier" >> beam.GroupByKey()
            | "WriteScans" >> beam.ParDo(WriteScansFn(self.lake, self.folder)).with_output_types(Rewritten)
        )
        return {"judged": staged.judged, "rewritten": rewritten}
