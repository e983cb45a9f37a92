"""The nightly graph: the carriers' bulk files of hub scans, reconciled with what the live side knows.

    list files ▸ stage ▸ write scans ▸ gather ▸ conclude by carrier ▸ finish

Run it as `milepost nightly …` or `python -m pipelines.nightly …`; options it does not know go to Beam.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import apache_beam as beam
import duckdb
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.arguments import day
from pipelines.engine import beam_options, run_graph
from pipelines.errors import UsageError
from pipelines.simulate import PROFILES as SIMULATED
from schemas.fields import DAY, to_datetime
from schemas.policy import Policy
from schemas.profiles import FOLDER, Profile, ProfileError, read_profiles
from schemas.tables import HUB_FILES, HUB_SCANS
from transforms.follow.in_sql import quoted
from transforms.hubs.drop import File, drop_files, news
from transforms.hubs.stage import Partition
from transforms.hubs.take_files import Fresh, TakeFiles
from transforms.publish.lake import Lake, connect
from transforms.publish.nights import concluding
from transforms.reconcile.reconcile import Reconcile

THREADS = 2
"""One reads a file while the other writes a partition or concludes a carrier; each may hold `lake.MEMORY`."""

BEGIN = "begin"
"""There is a night even where no file is news: time has gone on, and so may have the live side."""


def build_nightly(
    root: beam.Pipeline,
    files: Sequence[Fresh],
    lake: str,
    folder: str,
    profiles: dict[str, Profile],
    policy: Policy,
    *,
    rebuild: bool = False,
) -> None:
    """Wire the nightly graph."""
    taken = root | "Files" >> beam.Create(files, reshuffle=False) | "TakeFiles" >> TakeFiles(lake, folder, profiles)
    begin = root | "Begin" >> beam.Create([BEGIN])
    night = (taken["judged"], taken["rewritten"], begin) | "Taken" >> beam.Flatten()
    night | "Reconcile" >> Reconcile(lake, folder, policy, rebuild=rebuild)


def run_nightly(
    drop: Path,
    lake: str,
    first: datetime.date,
    last: datetime.date,
    options: PipelineOptions | None = None,
    *,
    profiles: Path | None = None,
    rebuild: bool = False,
) -> dict[str, int]:
    """Run the graph over the files of some days; give the counters.

    Args:
        drop: the folder with a folder for each carrier.
        lake: folder of the lake; made if it is not there.
        first: first service day.
        last: last service day, included.
        options: Beam's.
        profiles: folder with more carrier profiles.
        rebuild: conclude everything anew, not only what changed.

    Raises:
        UsageError: there are no files.
        LakeError: the lake cannot be used, or another run is at it.
    """
    if not drop.is_dir():
        raise UsageError(f"There is no folder {drop}.")
    known = all_profiles(profiles)
    files, strange = drop_files(drop, first, last, known)
    if strange:
        print(f"Not taken, since no carrier profile expects such a name: {', '.join(strange)}", file=sys.stderr)
    if not files:
        raise UsageError(f"The folder {drop} has no files of any carrier's from {first} to {last}.")
    held = Lake(lake).check(create=True)
    with concluding(held) as folder:
        fresh = fresh_files(held, files, known)
        graph = partial(
            build_nightly,
            files=fresh,
            lake=lake,
            folder=str(folder),
            profiles=known,
            policy=held.policy(),
            rebuild=rebuild,
        )
        counted = run_graph(graph, options or PipelineOptions([]), "Taking in hub scans", THREADS)
    return counted | {"files_seen": len(files) - len(fresh)}


def all_profiles(more: Path | None = None) -> dict[str, Profile]:
    """Give Milepost's own profiles, those of the simulator's carriers, and those of a folder, which go before them.

    Raises:
        UsageError: a profile cannot be used, or there is no such folder.
    """
    if more is not None and not more.is_dir():
        raise UsageError(f"There is no folder {more}.")
    try:
        return {**read_profiles(SIMULATED), **read_profiles(FOLDER), **(read_profiles(more) if more else {})}
    except ProfileError as fault:
        raise UsageError(str(fault)) from fault


def fresh_files(lake: Lake, files: Sequence[File], profiles: dict[str, Profile]) -> list[Fresh]:
    """Give the files that are news, each with the partitions that hold what its predecessor said."""
    with connect() as db:
        rows = db.execute(
            f"""select file, name, content, epoch_us(first_scan_ts), epoch_us(last_scan_ts)
                from {lake.rows(HUB_FILES)}"""
        ).fetchall()
        fresh = news(files, {file: (name, content) for file, name, content, *_ in rows}, profiles)
        spans = {file: (begin, end) for file, _, _, begin, end in rows if begin is not None}
        return [(file, _partitions(db, lake, file, *spans.get(file.place, (0, -DAY)))) for file in fresh]


def _partitions(db: duckdb.DuckDBPyConnection, lake: Lake, file: File, begin: int, end: int) -> list[Partition]:
    """Give the partitions that hold a scan of a file, among those of some days."""
    days = [to_datetime(ts).date().isoformat() for ts in range(begin - begin % DAY, end + 1, DAY)]
    delta = lake.delta(HUB_SCANS)
    if not days or delta is None:
        return []
    held = lake.files(HUB_SCANS, delta, days)
    found = db.execute(
        f"""select distinct service_date::varchar, carrier from {lake.rows(HUB_SCANS, held)}
            where list_contains(string_split(source, '|'), {quoted(file.place)})"""
    ).fetchall()
    return [Partition(*one) for one in found]


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `nightly` to the commands."""
    parser = commands.add_parser("nightly", help="take in the carriers' bulk files of hub scans", allow_abbrev=False)
    parser.add_argument("--drop", required=True, type=Path, metavar="DIR", help="folder with a folder for each carrier")
    parser.add_argument("--lake", required=True, metavar="DIR", help="folder of the lake; made if it is not there")
    parser.add_argument("--date", type=day, metavar="D", help="the one service day to take in")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first service day")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last service day")
    parser.add_argument("--profiles", type=Path, metavar="DIR", help="folder with more carrier profiles")
    parser.add_argument("--rebuild", action="store_true", help="conclude everything anew, not only what changed")
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
    counted = run_nightly(args.drop, args.lake, first, last, options, profiles=args.profiles, rebuild=args.rebuild)
    files = ", ".join(f"{counted.get(f'files_{state}', 0):,} {state}" for state in ("taken", "seen", "quarantined"))
    rows = [f"{name[5:]} {count:,}" for name, count in sorted(counted.items()) if name[:5] == "rows_" and count]
    print(f"files: {files}; {counted.get('scans_taken', 0):,} scans; rows written: {', '.join(rows) or 'none'}")
    return 0


if __name__ == "__main__":
    from pipelines.cli import main

    sys.exit(main(["nightly", *sys.argv[1:]]))
