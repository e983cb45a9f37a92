"""The nightly graph: the carriers' bulk files of hub scans, and one row a parcel from everything known.

    list files ▸ read ▸ publish scans ▸ build legs and shipments

Run it as `milepost nightly …` or `python -m pipelines.nightly …`; options it does not know go to Beam.
"""

import argparse
import datetime
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.arguments import day
from pipelines.engine import beam_options, run_graph
from pipelines.errors import UsageError
from pipelines.query import open_lake
from schemas import coders as _coders  # noqa: F401  (registers the coder of RecordBatch)
from schemas.fields import SECOND, to_batch
from schemas.profiles import read_profiles
from schemas.rejections import Rejected, rejection
from schemas.tables import HUB_LEGS, HUB_SCANS, REJECTIONS, SHIPMENTS
from transforms.hubs.drop import File, drop_files, profile_for
from transforms.hubs.legs import hub_legs
from transforms.hubs.normalise import read_file
from transforms.publish.append import append
from transforms.publish.lake import Lake
from transforms.publish.replace import replace_all, replace_scans

_SCANS, _REJECTED = "scans", "rejected"


class ReadScansFn(beam.DoFn):
    """Read a bulk file into batches of scans; a file that cannot be read is rejected whole."""

    def process(self, element: File) -> Iterator[Any]:
        """Give the file's scans with its name, and its rejections."""
        path, source = element
        try:
            scans, rejected = read_file(path, source, profile_for(element, read_profiles()))
        except Rejected as fault:
            now = int(Path(path).stat().st_mtime) * SECOND
            # Of a file that is refused whole no line is kept, for the file itself stays where it is.
            rejected = to_batch([rejection(fault, source.encode(), source, 0, now)], REJECTIONS.row_schema)
        else:
            for batch in scans.combine_chunks().to_batches():
                yield _SCANS, source, batch
            if not scans.num_rows:
                yield _SCANS, source, to_batch([], HUB_SCANS.row_schema)
        if rejected.num_rows:
            yield _REJECTED, source, rejected


class CommitNightFn(beam.DoFn):
    """Write a night in one commit a table: scans, then legs and shipments from everything known."""

    def __init__(self, lake: str) -> None:
        """Take the lake's path."""
        self.lake = Lake(lake)

    def process(self, element: tuple[int, Any]) -> None:
        """Commit what all files said."""
        scans: list[pa.RecordBatch] = []
        rejected: list[pa.RecordBatch] = []
        sources: set[str] = set()
        for kind, source, batch in element[1]:
            (scans if kind == _SCANS else rejected).append(batch)
            if kind == _SCANS:
                sources.add(source)
        with self.lake.writing():
            added = {"hub_scans": 0, "rejections": 0}
            if scans:
                added["hub_scans"] = replace_scans(self.lake, pa.Table.from_batches(scans), sorted(sources))
            if rejected:
                added["rejections"] = append(self.lake, REJECTIONS, pa.Table.from_batches(rejected))
            added["hub_legs"] = replace_all(self.lake, HUB_LEGS, hub_legs(self.lake))
            with open_lake(self.lake.path) as db:
                known = db.sql("from parcels").to_arrow_table().cast(SHIPMENTS.row_schema)
            added["shipments"] = replace_all(self.lake, SHIPMENTS, known)
        for name, rows in added.items():
            beam.metrics.Metrics.counter("milepost", f"rows_{name}").inc(rows)


def build_nightly(root: beam.Pipeline, files: list[File], lake: str) -> None:
    """Wire the nightly graph."""
    said = (
        root
        | "ListFiles" >> beam.Create(files).with_output_types(tuple[str, str])
        | "ReadScans" >> beam.ParDo(ReadScansFn()).with_output_types(tuple[str, str, pa.RecordBatch])
    )
    night = (
        said
        | "ToCommitter" >> beam.Map(to_committer).with_output_types(tuple[int, tuple[str, str, pa.RecordBatch]])
        | "WholeNight" >> beam.GroupByKey()
    )
    night | "CommitNight" >> beam.ParDo(CommitNightFn(lake)).with_output_types(type(None))


def to_committer(said: tuple[str, str, pa.RecordBatch]) -> tuple[int, tuple[str, str, pa.RecordBatch]]:
    """Key every batch alike: a night is one commit."""
    return 0, said


def run_nightly(
    drop: Path, lake: str, first: datetime.date, last: datetime.date, options: PipelineOptions | None = None
) -> dict[str, int]:
    """Run the graph over the files of some days; give the counters.

    Raises:
        UsageError: there are no files.
        LakeError: the lake cannot be used.
    """
    if not drop.is_dir():
        raise UsageError(f"There is no folder {drop}.")
    files, strange = drop_files(drop, first, last, read_profiles())
    if strange:
        print(f"Not taken, since no carrier profile expects such a name: {', '.join(strange)}", file=sys.stderr)
    if not files:
        raise UsageError(f"The folder {drop} has no files of any carrier's from {first} to {last}.")
    Lake(lake).check(create=True)
    return run_graph(
        partial(build_nightly, files=files, lake=lake), options or PipelineOptions([]), "Taking in hub scans"
    )


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `nightly` to the commands."""
    parser = commands.add_parser("nightly", help="take in the carriers' bulk files of hub scans", allow_abbrev=False)
    parser.add_argument("--drop", required=True, type=Path, metavar="DIR", help="folder with a folder for each carrier")
    parser.add_argument("--lake", required=True, metavar="DIR", help="folder of the lake; made if it is not there")
    parser.add_argument("--date", type=day, metavar="D", help="the one service day to take in")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first service day")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last service day")
    parser.set_defaults(run=_run, beam=True)


def _run(args: argparse.Namespace) -> int:
    options = beam_options(args.rest)
    if args.date and (args.first or args.last):
        raise UsageError("Give --date, or --from and --to, not both.")
    first, last = args.first or args.date, args.last or args.date
    if not first or not last:
        raise UsageError("Give --date D, or --from D --to D.")
    if last < first:
        raise UsageError(f"--to {last} lies before --from {first}.")
    counted = run_nightly(args.drop, args.lake, first, last, options)
    rows = [f"{name[5:].replace('_', ' ')} {count:,}" for name, count in sorted(counted.items()) if name[:5] == "rows_"]
    print("; ".join(rows))
    return 0


if __name__ == "__main__":
    from pipelines.cli import main

    sys.exit(main(["nightly", *sys.argv[1:]]))
