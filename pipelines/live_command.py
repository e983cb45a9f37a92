"""The command `milepost live`: follow parcels over a source, or stop the job that does."""

import argparse
from pathlib import Path

import msgspec

from pipelines.arguments import listener, moment
from pipelines.cluster import Cluster
from pipelines.engine import beam_options
from pipelines.errors import UsageError
from pipelines.flink import master_of
from pipelines.live import STATE, run_live
from pipelines.sources import is_live
from schemas.clock import WALL, Clock
from schemas.policy import read_policy


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `live` to the commands."""
    parser = commands.add_parser("live", help="run the live graph over a source", allow_abbrev=False)
    parser.add_argument("action", nargs="?", metavar="stop", help="stop a job on Flink, with a savepoint")
    parser.add_argument(
        "--input",
        metavar="SRC",
        action="append",
        help="a file, folder or glob of JSON lines (also .gz), or spool://DIR, kafka://HOST:PORT/TOPIC, "
        "pubsub://PROJECT/SUBSCRIPTION, which may be given several times",
    )
    parser.add_argument("--lake", metavar="DIR", help="folder of the lake; made if it is not there")
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--postgres", metavar="DSN", help="database that tells how parcels stand; the password is read"
                      " from PGPASSWORD")  # fmt: skip
    told.add_argument("--outbox", metavar="FILE", help="the same in a file of SQLite, where there is no Postgres")
    parser.add_argument("--as-of", type=moment, metavar="TS", help="horizon of a replay; default the newest event")
    parser.add_argument("--policy", metavar="FILE", help="TOML file of limits; default the built-in ones")
    parser.add_argument("--checkpoints", metavar="DIR", help="state of a run that never ends, with which the next one "
                        f"goes on; default {STATE} in the lake")  # fmt: skip
    anew = parser.add_mutually_exclusive_group()
    anew.add_argument("--from-savepoint", metavar="PATH", help="go on where `milepost live stop` stopped")
    anew.add_argument("--fresh", action="store_true", help="forget that state, and begin with what the lake knows")
    parser.add_argument(
        "--metrics", type=listener, metavar="[HOST:]PORT", help="serve workers' /metrics for Prometheus"
    )
    parser.add_argument("--clock", type=clock, default=WALL, metavar="JSON", help=argparse.SUPPRESS)
    parser.add_argument("--job", help="of stop: which job, where several run")
    parser.add_argument("--savepoints", metavar="DIR", help="of stop: where to; default the cluster's own folder")
    parser.set_defaults(run=_run, beam=True)


def clock(text: str) -> Clock:
    """Read the clock of a trial: a JSON object with the fields of `Clock`."""
    try:
        return msgspec.json.decode(text, type=Clock)
    except msgspec.DecodeError as fault:
        raise argparse.ArgumentTypeError(f"{text!r} is no clock: {fault}") from fault


def _run(args: argparse.Namespace) -> int:
    if args.action == "stop":
        return _stop(args)
    if args.action:
        raise UsageError(f"There is no use for {args.action!r} here.")
    for name in ("job", "savepoints"):
        if getattr(args, name):
            raise UsageError(f"--{name} is for milepost live stop.")
    for name in ("input", "lake"):
        if not getattr(args, name):
            raise UsageError(f"--{name} is required.")
    if "" in (args.postgres, args.outbox):
        raise UsageError("The database to tell has no name.")
    if (args.from_savepoint or args.fresh or args.checkpoints) and not is_live(args.input[0]):
        raise UsageError("A replay of files has no state to go on with.")
    words = [*args.rest, *([f"--savepoint_path={args.from_savepoint}"] if args.from_savepoint else [])]
    options = beam_options(words)
    store = args.postgres or (f"sqlite:///{Path(args.outbox).resolve()}" if args.outbox else None)
    counted = run_live(
        args.input,
        args.lake,
        read_policy(args.policy),
        args.as_of,
        options,
        store=store,
        clock=args.clock,
        checkpoints=args.checkpoints,
        fresh=args.fresh,
        metrics=args.metrics,
    )
    rejected = sum(count for name, count in counted.items() if name.startswith("rejected_"))
    print(
        f"{counted.get('lines_read', 0):,} lines read, {rejected:,} of them rejected; new rows in the lake: "
        + ", ".join(f"{name[5:]} {count:,}" for name, count in sorted(counted.items()) if name.startswith("rows_"))
    )
    return 0


def _stop(args: argparse.Namespace) -> int:
    for name in ("input", "lake", "postgres", "outbox", "from_savepoint", "checkpoints", "fresh", "metrics"):
        if getattr(args, name):
            raise UsageError(f"milepost live stop has no use for --{name.replace('_', '-')}.")
    master = master_of(beam_options(["--runner=FlinkRunner", *args.rest]))
    if master is None:
        raise UsageError("Say where Flink is: milepost live stop --flink_master=HOST:PORT.")
    place = Cluster(master).stop(args.job, args.savepoints)
    print(f"Stopped; go on with --from-savepoint {place}")
    return 0
