"""The command `milepost simulate`."""

import argparse
from pathlib import Path

from pipelines.arguments import up_to, whole
from pipelines.errors import UsageError
from pipelines.progress import Progress
from pipelines.simulate.generate import run

_ORDERS = 100_000_000
_DAYS = 3_650
"""More than any trial wants: beyond it a slip of the finger would fill the machine."""


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `simulate` to the commands."""
    parser = commands.add_parser("simulate", help="make up a shop's events, hub scans, and the truth about them")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder to make")
    parser.add_argument(
        "--orders", type=up_to(_ORDERS), default=10_000, metavar="N", help="orders (default %(default)s)"
    )
    parser.add_argument("--days", type=up_to(_DAYS), default=30, metavar="D", help="days (default %(default)s)")
    parser.add_argument(
        "--seed", type=whole, default=7, metavar="S", help="same seed, same bytes (default %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        with Progress("Making up a shop") as progress:
            made = run(args.out, args.orders, args.days, args.seed, lambda done: progress.advance(done, "orders"))
    except ValueError as fault:
        raise UsageError(str(fault)) from fault
    except OSError as fault:
        raise UsageError(f"The folder {args.out} cannot be written: {fault.strerror or fault}.") from fault
    counts = ", ".join(f"{made[name]:,} {name.replace('_', ' ')}" for name in ("events", "lines", "hub_scan_lines"))
    print(f"{args.out}: {counts}; the newest event is of {made['horizon']}")
    return 0
