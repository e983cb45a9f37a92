"""The live graph: follow every parcel while it moves; tell what happened and what did not.

    read ▸ decode ▸ validate ▸ dedupe ▸ follow ▸ watch ▸ visits ▸ publish and tell

Run it as `milepost live …` or `python -m pipelines.live …`; options it does not know go to Beam.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.arguments import Listener
from pipelines.checkpoints import ANEW, Checkpoints, Run
from pipelines.cluster import Cluster
from pipelines.engine import run_graph
from pipelines.errors import UsageError
from pipelines.flink import job_name, master_of, unbounded_options
from pipelines.sources import Source, is_live, open_source
from pipelines.sources.reporting import ReportingFn
from schemas.clock import WALL, Clock
from schemas.fields import SECOND, Micros
from schemas.lines import LineBlock
from schemas.policy import Policy
from schemas.tables import ALERTS, EVENTS, REJECTIONS, VISITS, Table
from transforms.ingest.take_in import TakeIn
from transforms.publish.commit import TICK, Publish, Rows
from transforms.publish.gate import KnownAlertsFn, KnownVisitsFn
from transforms.publish.lake import Lake
from transforms.tell.stores import migrate
from transforms.tell.tell import Tell
from transforms.visits.group_visits import GroupVisits
from transforms.visits.watch_silence import WatchSilence
from transforms.watch.follow_and_watch import FollowAndWatch

STATE = "checkpoints"
"""Folder in the lake's for the state of a run that never ends."""

EVERY: Micros = 20 * SECOND
"""How often rows are committed to the lake while events come in: they show well within a minute."""


def build_live(
    root: beam.Pipeline,
    source: Source,
    lake: str,
    policy: Policy,
    store: str | None = None,
    clock: Clock = WALL,
    metrics: Listener | None = None,
) -> None:
    """Wire the live graph: the same for a replay of files and for a broker that never ends.

    Args:
        root: the pipeline.
        source: where events come from.
        lake: folder of the lake.
        policy: the limits.
        store: address of the database that tells how parcels stand, and whose outbox tells people.
        clock: what time it is for a source that never ends.
        metrics: where workers serve what they count.
    """
    # Reject before state: what follows may rely on every event that it is given.
    blocks = root | "Read" >> source.read()
    if source.live:
        blocks = blocks | "Report" >> beam.ParDo(ReportingFn(metrics)).with_output_types(LineBlock)
    taken = blocks | "TakeIn" >> TakeIn(policy.intake, source.as_of, clock, live=source.live)
    horizon = source.horizon(taken.newest)
    # No side input where none is needed: with one, a step of Flink's cannot be checkpointed while it waits for it.
    known = () if horizon is None else (horizon,)

    # What happened, and by event-time timers what did not.
    followed = taken.events | "FollowAndWatch" >> FollowAndWatch(
        policy, source.grid, statuses=store is not None, clock=clock if source.live else None
    )

    # When it was active: sessions end at their combine; state never lives under them.
    visits = followed.pieces | "GroupVisits" >> GroupVisits(policy.visits.gap)
    # A Flatten's input must have no other reader that shuffles or has a side input: Flink would make it twice.
    ended = visits | "Ended" >> beam.Map(same).with_output_types(tuple[int, bytes])
    heard = (followed.pieces, ended) | "Heard" >> beam.Flatten()
    silences = heard | "WatchSilence" >> WatchSilence(policy, source.grid, clock if source.live else None)

    # Of a time that is not known yet nothing is said, wherever the watermark is pushed.
    alerts = (followed.alerts, silences) | "AllAlerts" >> beam.Flatten()
    known_alerts = alerts | "KnownAlerts" >> beam.ParDo(KnownAlertsFn(clock), *known).with_output_types(pa.RecordBatch)
    known_visits = visits | "KnownVisits" >> beam.ParDo(
        KnownVisitsFn(policy.visits.gap, clock), *known
    ).with_output_types(pa.RecordBatch)
    rejected = (taken.rejected, followed.rejected) | "AllRejected" >> beam.Flatten()

    rows = (
        labelled(followed.events, EVENTS),
        labelled(known_alerts, ALERTS),
        labelled(known_visits, VISITS),
        labelled(rejected, REJECTIONS),
        blocks | "Ticks" >> beam.FlatMap(ticks).with_output_types(tuple[str, pa.RecordBatch]),
    ) | "AllRows" >> beam.Flatten()
    rows | "Publish" >> Publish(lake, policy, EVERY, source.grid)
    if store is not None:
        (followed.statuses, known_alerts) | "Tell" >> Tell(store, policy.notify, clock)


def ticks(block: LineBlock) -> Iterator[Rows]:
    """Give a sign that time passes for a block without lines."""
    if not block.lines:
        yield TICK


def same(element: tuple[int, bytes]) -> tuple[int, bytes]:
    """Give it back."""
    return element


def labelled(batches: beam.PCollection[pa.RecordBatch], table: Table) -> beam.PCollection[Rows]:
    """Label batches with the table they are for."""
    return batches | f"Label {table.name}" >> beam.Map(partial(label, table.name)).with_output_types(
        tuple[str, pa.RecordBatch]
    )


def label(table: str, batch: pa.RecordBatch) -> Rows:
    """Label one batch."""
    return table, batch


def run_live(
    uris: str | Sequence[str],
    lake: str,
    policy: Policy,
    as_of: Micros | None = None,
    options: PipelineOptions | None = None,
    *,
    store: str | None = None,
    clock: Clock = WALL,
    checkpoints: str | None = None,
    fresh: bool = False,
    metrics: Listener | None = None,
) -> dict[str, int]:
    """Run the graph over a source, to its end if it has one; give the counters.

    A source that never ends is gone on with where its last run was, however that ended: a job of this lake that runs
    on the cluster is watched, else its newest checkpoint is taken up, else what the lake knows.

    Args:
        uris: a file, folder or glob, or one or several sources that never end.
        lake: folder of the lake; made if it is not there.
        policy: the limits.
        as_of: horizon of a replay.
        options: Beam's.
        store: address of a database, a DSN of Postgres or sqlite:///PATH; its tables are made or brought up to date.
        clock: what time it is for a source that never ends.
        checkpoints: folder of the state of a run that never ends; default one within the lake.
        fresh: forget that state.
        metrics: where workers serve what they count.

    Raises:
        UsageError: the source or an option cannot be used.
        LakeError: the lake cannot be used.
        StoreError: the database cannot be used.
    """
    options = options or PipelineOptions([])
    uris = [uris] if isinstance(uris, str) else list(uris)
    state = Checkpoints(Path(checkpoints or Path(lake, STATE))) if is_live(uris[0]) else None
    if state:
        options = unbounded_options(options, lake, state)
    source = open_source(uris, lake, policy, clock, as_of)
    held = Lake(lake).check(create=True)
    if store is not None:
        migrate(store)
    with held.following():
        held.remember(policy)
        if state and _watched(options, lake):
            return {}
        if state:
            options = _go_on(options, state, Run(tuple(uris), store is not None), fresh=fresh)
        graph = partial(build_live, source=source, lake=lake, policy=policy, store=store, clock=clock, metrics=metrics)
        try:
            return run_graph(graph, options, "Following parcels", plain=not state)
        except RuntimeError as fault:
            if state and "restore" in str(fault).lower():
                raise UsageError(
                    f"The state in {state.folder} does not fit this version of the graph; {ANEW}."
                ) from fault
            raise


def _watched(options: PipelineOptions, lake: str) -> bool:
    """Watch the lake's job to its end if it runs already: whoever started it has gone, the job has not."""
    master = master_of(options)
    if master is None:
        return False
    running = Cluster(master).running(job_name(lake))
    for job in running:
        print(f"The job {job} follows this lake already; watching it.", file=sys.stderr, flush=True)
        Cluster(master).watch(job)
    return bool(running)


def _go_on(options: PipelineOptions, state: Checkpoints, run: Run, *, fresh: bool) -> PipelineOptions:
    """Let a job begin with the newest checkpoint, unless a savepoint is named."""
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    found = state.begin(run, fresh=fresh)
    if found is None or "savepoint_path" in given:
        return options
    print(f"Going on with {found}.", file=sys.stderr, flush=True)
    return options.from_dictionary({**given, "savepoint_path": found.as_uri()})


if __name__ == "__main__":
    from pipelines.cli import main

    sys.exit(main(["live", *sys.argv[1:]]))
