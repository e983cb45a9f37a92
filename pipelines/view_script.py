"""The command `views`: a script that binds the lake's tables and views in any DuckDB, for the tools that analysts like.

It names no schema: all goes to the one that is current, `main` in the DuckDB CLI and its UI, Harlequin and dbt-duckdb.
It can be run again, and then binds everything anew.
"""

import argparse
import sys
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.query import binding, bound, newest, pin, views
from pipelines.render import for_people, write_whole
from pipelines.report import add_horizon
from schemas.fields import Micros, to_text
from schemas.tables import NIGHTLY, TABLES, Table
from transforms.follow.in_sql import quoted
from transforms.publish.lake import Lake

_NEWEST = "(select least(coalesce(max(event_ts), timestamptz '1970-01-01 00:00:00+00'), now()) from events)"

_PINNED = """It reads the files of one moment, and of one night: run `milepost views` again for newer ones, at the
latest before `milepost maintain` takes old files away."""

_DELTA = """It needs DuckDB's extension `delta`. Tables that live runs write are read as they are when asked; those of
nights are the files of the night that was the last when this was written: run `milepost views` again after a night."""


def pinned_script(path: str | Path, horizon: Micros | None = None, as_of: Micros | None = None) -> str:
    """Give the script that reads the files of one snapshot of the lake; any DuckDB can run it as it stands.

    Args:
        path: the lake's folder.
        horizon: what the world was then; default the newest event.
        as_of: what the lake knew then; default all that it knows.

    Raises:
        LakeError: there is no lake, or it cannot be read.
        UsageError: it knew nothing yet.
    """
    lake = Lake(Path(path).resolve()).check()
    snapshot = pin(lake, as_of)
    if horizon is None:
        with bound(lake, snapshot, as_of=as_of) as db:
            until = newest(db, as_of)
    else:
        until = horizon
    tables = [binding(table, lake.rows(table, snapshot.files[table.name]), horizon) for table in TABLES.values()]
    return _script(lake, _PINNED, tables, f"timestamptz '{to_text(until)}'")


def delta_script(path: str | Path, horizon: Micros | None = None) -> str:
    """Give the script that reads the live tables by `delta_scan`; the horizon moves with the newest event.

    Of the tables of nights it names files: Delta cannot tell which version of each is one night, and before DuckDB 2
    `delta_scan` takes no version.

    Args:
        path: the lake's folder.
        horizon: one that stays; default the newest event, whenever it is asked.

    Raises:
        LakeError: there is no lake, or it cannot be read.
    """
    lake = Lake(Path(path).resolve()).check()
    files = pin(lake).files
    tables = [binding(table, _scan(lake, table, files[table.name]), horizon) for table in TABLES.values()]
    until = _NEWEST if horizon is None else f"timestamptz '{to_text(horizon)}'"
    return _script(lake, _DELTA, tables, until)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `views` to the command line."""
    parser = commands.add_parser("views", help="print a script of the tables and views, for any DuckDB")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    add_horizon(parser)
    parser.add_argument("--delta", action="store_true", help="read by the extension delta, instead of pinned files")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.delta and arguments.as_of is not None:
        raise UsageError("What the lake knew then (--as-of) is a list of files; leave out --delta.")
    if arguments.delta:
        script = delta_script(arguments.lake, arguments.horizon)
    else:
        script = pinned_script(arguments.lake, arguments.horizon, arguments.as_of)
    if arguments.out is not None:
        write_whole(arguments.out, script)
    else:
        sys.stdout.write(script)
    return 0


def _script(lake: Lake, remark: str, tables: list[str], until: str) -> str:
    # A folder may have any name: one with a line feed must not end the comment.
    about = f"Tables and views of the lake at {for_people(str(lake.path))}.\n{remark}\nTimes are shown in UTC."
    heading = "".join(f"-- {line}\n" for line in about.split("\n"))
    body = [statement.strip() + "\n" for statement in (*tables, *views(until, lake.policy()))]
    return "\n".join([heading, "set timezone = 'UTC';\n", *body])


def _scan(lake: Lake, table: Table, files: list[str]) -> str:
    """Give the SQL of a table's rows: of one that live runs write, as Delta has them when asked, once it is there."""
    if table in NIGHTLY or lake.delta(table) is None:
        return lake.rows(table, files)
    return f"(select {', '.join(table.schema.names)} from delta_scan({quoted(Path(lake.uri(table)).as_uri())}))"
