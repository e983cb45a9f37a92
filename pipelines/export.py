"""The command `export`: a table or view as a file of Parquet or CSV, or what happened as EPCIS 2.0 in JSON-LD.

Rows go from the lake's files to the new one piece by piece, in bounded memory; the file is there whole or not at all.
"""

import argparse
import datetime
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from pipelines.arguments import day
from pipelines.epcis import QUERY, is_prefix, write_document
from pipelines.errors import QueryError, UsageError
from pipelines.query import choose_period, first_line, open_lake
from pipelines.render import FORMULA, for_people
from pipelines.report import add_horizon
from schemas.tables import TABLES
from transforms.follow.in_sql import quoted
from transforms.publish.lake import LakeError

FORMATS = ("parquet", "csv", "jsonld")
EPCIS = "epcis"

_TIMES = ("event_ts", "first_event_ts", "due_ts")
"""Columns by which the rows of a view are chosen, the first that it has."""
_BATCH = 10_000


def write_rows(db: duckdb.DuckDBPyConnection, rows: str, form: str, file: Path) -> int:
    """Write rows to a new file; give how many.

    Args:
        db: an opened lake that may write there.
        rows: a relation of SQL.
        form: `parquet` (zstd, typed) or `csv`, where no text can turn into a formula in a spreadsheet.
        file: where to.
    """
    if form == "csv":
        columns = db.sql(f"describe (from {rows})").fetchall()
        rows = f"(select {', '.join(_cell(name, kind) for name, kind, *_ in columns)} from {rows})"
        options = "format csv, header true"
    else:
        options = "format parquet, compression zstd"
    # The file is a draft already, and no other place may be written to.
    done = db.execute(f"copy (from {rows}) to {quoted(str(file))} ({options}, use_tmp_file false)").fetchall()
    return int(done[0][0])


def chosen(
    db: duckdb.DuckDBPyConnection,
    relation: str,
    *,
    name: str,
    days: bool,
    order: str | None = None,
    tracking_number: str | None = None,
) -> str:
    """Give a relation's chosen rows as a relation of SQL.

    Args:
        db: an opened lake, whose period holds.
        relation: what to choose from, as SQL.
        name: what to call it to people.
        days: choose by the period.
        order: only the rows of this order.
        tracking_number: only those of this waybill.

    Raises:
        UsageError: it lacks the column to choose by.
    """
    has = set(db.sql(f"from {relation} limit 0").columns)
    wanted = {"order_id": order, "tracking_number": tracking_number}
    conditions = [f"{column} = {quoted(value)}" for column, value in wanted.items() if value is not None]
    for column, value in wanted.items():
        if value is not None and column not in has:
            raise UsageError(f"{name} has no column {column} to choose by.")
    if days:
        times = [TABLES[name].day_of] if name in TABLES else [time for time in _TIMES if time in has]
        if not times:
            raise UsageError(f"{name} has no time of its own to choose days by.")
        conditions.append(f"in_period({times[0]})")
    return f"(from {relation} where {' and '.join(conditions)})" if conditions else relation


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """Give a draft to write, in a folder of its own; once all went well, it takes the place of `out`.

    Raises:
        UsageError: it cannot be written.
    """
    # Of a link, what it points to is replaced.
    out = out.resolve()
    try:
        device = out.exists() and not out.is_file()
        with tempfile.TemporaryDirectory(prefix=".milepost-", dir=None if device else out.parent) as folder:
            draft = Path(folder, "draft")
            yield draft
            if device:
                # Not replaced: a file in the place of /dev/null would be everybody's trouble.
                with draft.open("rb") as source, out.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                os.replace(draft, out)
    except OSError as fault:
        raise UsageError(f"{out} cannot be written: {fault.strerror}.") from fault


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `export` to the command line."""
    parser = commands.add_parser("export", help="write a table, a view or EPCIS events to a file")
    parser.add_argument("name", metavar="NAME", help=f"a table or view, or {EPCIS}")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file; an older one is replaced")
    parser.add_argument("--format", choices=FORMATS, help=f"default: parquet, of {EPCIS} jsonld")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first day (UTC), such as 2026-01-31")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last day (UTC), included")
    parser.add_argument("--order", metavar="ID", help="only this order")
    parser.add_argument("--tracking-number", metavar="T", help="only this waybill")
    parser.add_argument("--epc-prefix", metavar="URI", help="your namespace, such as https://id.example.com/parcels")
    add_horizon(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    with (
        drafted(arguments.out) as draft,
        open_lake(arguments.lake, arguments.horizon, as_of=arguments.as_of, workbench=draft.parent) as db,
    ):
        choose_period(db, arguments.first, arguments.last)
        try:
            said = (_epcis if arguments.name == EPCIS else _table)(db, arguments, draft)
        except duckdb.Error as fault:
            raise LakeError(f"{arguments.name} cannot be exported: {first_line(fault)}.") from fault
    print(f"{said} to {for_people(str(arguments.out))}.")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.format and (arguments.format == "jsonld") != (arguments.name == EPCIS):
        raise UsageError(f"jsonld is the format of {EPCIS}, and of nothing else.")
    if arguments.first and arguments.last and arguments.last < arguments.first:
        raise UsageError(f"The period ends ({arguments.last}) before it begins ({arguments.first}).")
    if arguments.name == EPCIS and not is_prefix(arguments.epc_prefix or ""):
        raise UsageError(
            "EPCIS names parcels by URIs of your own: give a --epc-prefix, such as https://id.example.com/parcels."
        )
    if arguments.name != EPCIS and arguments.epc_prefix:
        raise UsageError(f"--epc-prefix is of use for {EPCIS} alone.")


def _table(db: duckdb.DuckDBPyConnection, arguments: argparse.Namespace, draft: Path) -> str:
    known = [name for (name,) in db.sql("select name from (show tables) order by name").fetchall()]
    if arguments.name not in known:
        raise UsageError(f"There is no table or view {arguments.name}; there are {', '.join(known)} and {EPCIS}.")
    rows = _choose(db, arguments.name, arguments)
    count = write_rows(db, rows, arguments.format or "parquet", draft)
    return f"Wrote {count:,} {'row' if count == 1 else 'rows'} of {arguments.name}"


def _epcis(db: duckdb.DuckDBPyConnection, arguments: argparse.Namespace, draft: Path) -> str:
    rows = _choose(db, f"({QUERY})", arguments)
    found = _rows(db, f"from {rows} order by event_ts, event_id, stage")
    with draft.open("w", encoding="utf-8", newline="") as sink:
        count, left_out = write_document(found, arguments.epc_prefix, datetime.datetime.now(datetime.UTC), sink)
    if not count + left_out.total() and (arguments.order or arguments.tracking_number):
        raise QueryError("The lake knows nothing of that parcel in that time.")
    return f"Wrote {count:,} EPCIS {'event' if count == 1 else 'events'}{_left_out(left_out)}"


def _left_out(stages: Counter[str]) -> str:
    if not stages:
        return ""
    listed = ", ".join(f"{stage} {count:,}" for stage, count in sorted(stages.items()))
    return f" (left out {stages.total():,} that its vocabulary has no word for: {listed})"


def _choose(db: duckdb.DuckDBPyConnection, relation: str, arguments: argparse.Namespace) -> str:
    days = bool(arguments.first or arguments.last)
    return chosen(
        db,
        relation,
        name=arguments.name,
        days=days,
        order=arguments.order,
        tracking_number=arguments.tracking_number,
    )


def _rows(db: duckdb.DuckDBPyConnection, query: str) -> Iterator[Mapping[str, Any]]:
    for batch in db.sql(query).to_arrow_reader(_BATCH):
        yield from batch.to_pylist()


def _cell(name: str, kind: str) -> str:
    """Give a column as CSV shows it: times in RFC 3339, lists as JSON, and no text that begins a formula."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        fraction = f"case when epoch_us({name}) % 1000000 = 0 then '' else strftime({name}, '.%f') end"
        return f"strftime({name}, '%Y-%m-%dT%H:%M:%S') || {fraction} || 'Z' as {name}"
    if kind.endswith("[]"):
        return f"to_json({name})::varchar as {name}"
    if kind in ("VARCHAR", "BLOB"):
        begins = ", ".join(f"chr({ord(sign)})" for sign in FORMULA)
        text = f"{name}::varchar"
        return f"case when left({text}, 1) in ({begins}) then '''' || {text} else {text} end as {name}"
    return name
