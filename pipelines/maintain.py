"""The command `milepost maintain`: run it after the night, or whenever; it changes no row."""

import argparse

from pipelines.arguments import up_to
from schemas.tables import TABLES
from transforms.publish.lake import Lake
from transforms.publish.maintain import maintain
from transforms.publish.nights import concluding


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `maintain` to the commands."""
    parser = commands.add_parser("maintain", help="compact the lake's files and remove what nobody reads any more")
    parser.add_argument("--lake", required=True, metavar="DIR", help="folder of the lake")
    parser.add_argument(
        "--keep-hours",
        type=up_to(1_000_000),
        default=168,
        metavar="H",
        help="how long superseded files stay, for readers and time travel (default %(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    lake = Lake(args.lake).check()
    with concluding(lake):
        for table in TABLES.values():
            with lake.writing():
                done = maintain(lake, table, args.keep_hours)
            if done is not None:
                print(
                    f"{table.name}: {done.files_before} files, now {done.files_after}; {done.removed} old ones removed"
                )
    return 0
