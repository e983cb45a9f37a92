"""Open the lake for questions: every table and view bound by name in a DuckDB that can read the lake and nothing else.

The views are SQL files in `views/`; they hold the rules of the journey as SQL, from the events alone, so that whatever
is asked is the same function of the accepted events and the horizon as on the live side.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from schemas.fields import Micros, to_text
from schemas.tables import TABLES, Table
from transforms.follow.in_sql import quoted, rules
from transforms.publish.lake import Lake, LakeError, connect

VIEWS = (
    "first_milestones",
    "order_status",
    "sla_status",
    "latest_alerts",
    "current_alerts",
    "scorecard",
)
"""Files in `views/`, in the order in which they build on one another."""

FOLDER = Path(__file__).parent / "views"


def open_lake(
    path: str | Path, as_of: Micros | None = None, *, workbench: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a lake for questions, as one snapshot of each table.

    Besides the tables (`schemas.tables`) and the views, it binds the rules (`transforms.follow.in_sql`) and the macro
    `in_period(ts)`.

    Args:
        path: the lake's folder.
        as_of: the horizon: leave out whatever happened later. Default the newest event, but no later than now, since
            a sender's clock may run ahead.
        workbench: a folder in which the connection may write, and spill what does not fit into memory; without one,
            it can write nothing, and memory is not bounded.

    Raises:
        LakeError: there is no lake, or it cannot be read.
    """
    lake = Lake(path).check()
    return bound(lake, pin(lake), as_of, workbench)


def bound(
    lake: Lake, files: Mapping[str, list[str]], as_of: Micros | None = None, workbench: Path | None = None
) -> duckdb.DuckDBPyConnection:
    """Open those files of a lake for questions; see `pin` and `open_lake`."""
    db = connect(workbench)
    try:
        for table in TABLES.values():
            db.execute(binding(table, lake.rows(table, files[table.name]), as_of))
        for statement in views(f"timestamptz '{to_text(horizon(db) if as_of is None else as_of)}'", lake):
            db.execute(statement)
        _lock(db, [file for listed in files.values() for file in listed], workbench)
    except duckdb.Error as fault:
        db.close()
        raise LakeError(f"The lake at {lake.path} cannot be read: {first_line(fault)}.") from fault
    return db


def pin(lake: Lake) -> dict[str, list[str]]:
    """Give the files of every table, by its name, as one snapshot."""
    # Conclusions are pinned before facts, the reverse of how a commit writes them: no alert lacks its events.
    night = lake.night()
    return {table.name: lake.held(table, night=night) for table in reversed(TABLES.values())}


def binding(table: Table, rows: str, as_of: Micros | None = None) -> str:
    """Give the statement that binds a table's name to its rows, a relation of SQL, as far as known at `as_of`."""
    known = ""
    if as_of is not None:
        times = [table.day_of, *(["state_ts"] if "state_ts" in table.row.__struct_fields__ else [])]
        known = " where " + " and ".join(f"{column} <= timestamptz '{to_text(as_of)}'" for column in times)
    return f"create or replace view {table.name} as from {rows}{known};"


def views(horizon: str, lake: Lake) -> Iterator[str]:
    """Give the statements that bind the rules and the views over the tables; see `rules`."""
    yield from rules(horizon, lake.policy())
    yield period()
    for view in VIEWS:
        yield (FOLDER / f"{view}.sql").read_text(encoding="utf-8")


def horizon(db: duckdb.DuckDBPyConnection) -> Micros:
    """Give the time of the newest event of a connection that has `events`, but no later than now."""
    ((newest, now),) = db.sql("select epoch_us(max(event_ts)), epoch_us(now()) from events").fetchall()
    return int(min(newest or 0, now))


def choose_period(
    db: duckdb.DuckDBPyConnection, first: datetime.date | None = None, last: datetime.date | None = None
) -> None:
    """Let `in_period(ts)` hold for the UTC days from `first` to `last`, both included; None leaves that end open."""
    db.execute(period(first, last))


def period(first: datetime.date | None = None, last: datetime.date | None = None) -> str:
    """Give the statement that binds `in_period(ts)`; see `choose_period`."""
    start = f"{first} 00:00:00+00" if first else "-infinity"
    end = f"{last + datetime.timedelta(days=1)} 00:00:00+00" if last and last < datetime.date.max else "infinity"
    return f"create or replace macro in_period(ts) as ts >= timestamptz '{start}' and ts < timestamptz '{end}';"


def ask(db: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> pa.Table:
    """Answer one of Milepost's own questions.

    Raises:
        LakeError: the lake's files cannot be read.
    """
    try:
        return db.sql(query, params=list(values)).to_arrow_table()
    except duckdb.Error as fault:
        raise LakeError(f"The lake cannot be read: {first_line(fault)}.") from fault


def first_line(fault: Exception) -> str:
    """Give the first line of a message: DuckDB's tells what is wrong, the lines after it only where."""
    return next(iter(str(fault).strip().splitlines()), type(fault).__name__).strip(" .:!")


def _lock(db: duckdb.DuckDBPyConnection, files: list[str], workbench: Path | None) -> None:
    """Leave the connection the pinned files to read, and nothing else of this machine or its network."""
    listed = ", ".join(map(quoted, files))
    db.execute(f"set allowed_paths = [{listed}]; set python_enable_replacements = false")
    if workbench is not None:
        db.execute(f"set allowed_directories = [{quoted(str(workbench))}]")
    db.execute("set enable_external_access = false; set lock_configuration = true")
