"""The live graph: follow every parcel while it moves; tell what happened and what did not.

    read ▸ decode ▸ validate ▸ dedupe ▸ follow ▸ watch ▸ visits ▸ publish

Run it as `milepost live …` or `python -m pipelines.live …`; options it does not know go to Beam.
"""

import argparse
import sys
from functools import partial

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.arguments import moment
from pipelines.engine import beam_options, run_graph
from pipelines.sources import Replay, Source
from schemas.fields import Micros
from schemas.policy import Policy, read_policy
from schemas.tables import ALERTS, EVENTS, REJECTIONS, VISITS, Table
from transforms.ingest.take_in import TakeIn
from transforms.publish.commit import Publish, Rows
from transforms.publish.gate import KnownAlertsFn, KnownVisitsFn
from transforms.publish.lake import Lake
from transforms.visits.group_visits import GroupVisits
from transforms.visits.watch_silence import WatchSilence
from transforms.watch.follow_and_watch import FollowAndWatch


def build_live(root: beam.Pipeline, source: Source, lake: str, policy: Policy) -> None:
    """Wire the live graph: the same for a replay of files and for a broker that never ends."""
    # Reject before state: what follows may rely on every event that it is given.
    taken = root | "Read" >> source.read() | "TakeIn" >> TakeIn(policy.intake, source.as_of)
    horizon = source.horizon(taken.newest)

    # What happened, and by event-time timers what did not.
    followed = taken.events | "FollowAndWatch" >> FollowAndWatch(policy, source.grid)

    # When it was active: sessions end at their combine; state never lives under them.
    visits = followed.pieces | "GroupVisits" >> GroupVisits(policy.visits.gap)
    # A Flatten's input must have no other reader that shuffles or has a side input: Flink would make it twice.
    ended = visits | "Ended" >> beam.Map(same).with_output_types(tuple[int, bytes])
    heard = (followed.pieces, ended) | "Heard" >> beam.Flatten()
    silences = heard | "WatchSilence" >> WatchSilence(policy, source.grid)

    # Of a time that is not known yet nothing is said, wherever the watermark is pushed.
    alerts = (followed.alerts, silences) | "AllAlerts" >> beam.Flatten()
    known_alerts = alerts | "KnownAlerts" >> beam.ParDo(KnownAlertsFn(), horizon).with_output_types(pa.RecordBatch)
    known_visits = visits | "KnownVisits" >> beam.ParDo(KnownVisitsFn(policy.visits.gap), horizon).with_output_types(
        pa.RecordBatch
    )
    rejected = (taken.rejected, followed.rejected) | "AllRejected" >> beam.Flatten()

    rows = (
        labelled(followed.events, EVENTS),
        labelled(known_alerts, ALERTS),
        labelled(known_visits, VISITS),
        labelled(rejected, REJECTIONS),
    ) | "AllRows" >> beam.Flatten()
    rows | "Publish" >> Publish(lake, policy)


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
    pattern: str, lake: str, policy: Policy, as_of: Micros | None = None, options: PipelineOptions | None = None
) -> dict[str, int]:
    """Run the graph over a source to its end; give the counters.

    Raises:
        UsageError: the source or an option cannot be used.
        LakeError: the lake cannot be used.
    """
    source = Replay(pattern, lake, as_of)
    held = Lake(lake).check(create=True)
    with held.following():
        held.remember(policy)
        return run_graph(
            partial(build_live, source=source, lake=lake, policy=policy),
            options or PipelineOptions([]),
            "Following parcels",
        )


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `live` to the commands."""
    parser = commands.add_parser("live", help="run the live graph over a source", allow_abbrev=False)
    parser.add_argument("--input", required=True, metavar="SRC", help="a file, folder or glob of JSON lines (also .gz)")
    parser.add_argument("--lake", required=True, metavar="DIR", help="folder of the lake; made if it is not there")
    parser.add_argument("--as-of", type=moment, metavar="TS", help="horizon of a replay; default the newest event")
    parser.add_argument("--policy", metavar="FILE", help="TOML file of limits; default the built-in ones")
    parser.set_defaults(run=_run, beam=True)


def _run(args: argparse.Namespace) -> int:
    options = beam_options(args.rest)
    counted = run_live(args.input, args.lake, read_policy(args.policy), args.as_of, options)
    rejected = sum(count for name, count in counted.items() if name.startswith("rejected_"))
    print(
        f"{counted.get('lines_read', 0):,} lines read, {rejected:,} of them rejected; new rows in the lake: "
        + ", ".join(f"{name[5:]} {count:,}" for name, count in sorted(counted.items()) if name.startswith("rows_"))
    )
    return 0


if __name__ == "__main__":
    from pipelines.cli import main

    sys.exit(main(["live", *sys.argv[1:]]))
