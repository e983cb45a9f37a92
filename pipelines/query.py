"""Open the lake for questions: every table and view bound by name in a DuckDB that can read the lake and nothing else.

The views are SQL files in `views/`; they hold the rules of the journey as SQL, from the events alone, so that whatever
is asked is the same function of the accepted events and the horizon as on the live side. What the last night concluded
is taken from there for parcels that nothing new is known of: the same rows, without going through their events again.
"""

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from pipelines.errors import UsageError
from pipelines.settled import settle
from schemas.fields import Micros, to_text
from schemas.night import Night
from schemas.policy import Costs, Policy
from schemas.tables import HUB_LEGS, TABLES, Table
from transforms.follow.in_sql import is_fed, quoted, rules
from transforms.publish.history import files_at, night_at
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


class Snapshot(NamedTuple):
    """Which files of a lake are read: those of every table by its name, and of which night they are."""

    files: dict[str, list[str]]
    night: Night


def open_lake(
    path: str | Path,
    horizon: Micros | None = None,
    *,
    as_of: Micros | None = None,
    costs: Costs | None = None,
    workbench: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a lake for questions, as one snapshot of each table.

    Besides the tables (`schemas.tables`) and the views, it binds the rules (`transforms.follow.in_sql`), the macros
    `in_period(ts)`, `is_fed(event_id, …)` and `high_value()`, and the unit prices `unit_costs()`.

    Args:
        path: the lake's folder.
        horizon: what the world was then: leave out whatever happened later. Default the newest event that is known,
            but no later than now, since a sender's clock may run ahead.
        as_of: what the lake knew then: leave out whatever was written later. Default all that it knows.
        costs: unit prices, in place of those that the lake's last live run was given.
        workbench: a folder in which the connection may write, and spill what does not fit into memory; without one,
            it can write nothing, and memory is not bounded.

    Raises:
        LakeError: there is no lake, or it cannot be read.
        UsageError: it knew nothing yet.
    """
    lake = Lake(path).check()
    return bound(lake, pin(lake, as_of), horizon, as_of=as_of, costs=costs, workbench=workbench)


def bound(
    lake: Lake,
    snapshot: Snapshot,
    horizon: Micros | None = None,
    *,
    as_of: Micros | None = None,
    costs: Costs | None = None,
    workbench: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a snapshot of a lake for questions; see `pin` and `open_lake`."""
    policy = lake.policy()
    db = connect(workbench)
    try:
        for table in TABLES.values():
            db.execute(binding(table, lake.rows(table, snapshot.files[table.name]), horizon))
        now = newest(db, as_of) if horizon is None else horizon
        settle(db, lake, snapshot.night, snapshot.files, now, policy)
        for statement in views(f"timestamptz '{to_text(now)}'", policy, costs):
            db.execute(statement)
        _lock(db, [file for listed in snapshot.files.values() for file in listed], workbench)
    except LakeError:
        db.close()
        raise
    except duckdb.Error as fault:
        db.close()
        raise LakeError(f"The lake at {lake.path} cannot be read: {first_line(fault)}.") from fault
    return db


def pin(lake: Lake, as_of: Micros | None = None) -> Snapshot:
    """Give the files of every table as one snapshot, of what the lake knows or knew.

    Raises:
        LakeError: the lake cannot be read.
        UsageError: it knew nothing yet.
    """
    # Conclusions are pinned before facts, the reverse of how a commit writes them: no alert lacks its events.
    night = lake.night() if as_of is None else night_at(lake, as_of)
    files = {table.name: _files(lake, table, night, as_of) for table in reversed(TABLES.values())}
    if as_of is not None and not any(files.values()) and any(map(lake.held, TABLES.values())):
        raise UsageError(
            f"The lake at {lake.path} knew nothing yet at {to_text(as_of)} (--as-of); --horizon asks for what the world"
            " was then."
        )
    return Snapshot(files, night)


def binding(table: Table, rows: str, horizon: Micros | None = None) -> str:
    """Give the statement that binds a table's name to its rows, a relation of SQL, as the world was at a horizon."""
    chosen = f"from {rows}"
    if horizon is not None:
        end = f"timestamptz '{to_text(horizon)}'"
        times = [table.day_of, *(["state_ts"] if "state_ts" in table.row.__struct_fields__ else [])]
        chosen += " where " + " and ".join(f"{column} <= {end}" for column in times)
        if table is HUB_LEGS:
            # Whoever left later was there still.
            chosen = f"""select * replace (
                case when out_ts <= {end} then out_ts end as out_ts,
                out_inferred and out_ts <= {end} as out_inferred,
                case when out_ts <= {end} then dwell_minutes end as dwell_minutes) {chosen}"""
    return f"create or replace view {table.name} as {chosen};"


def views(horizon: str, policy: Policy, costs: Costs | None = None) -> Iterator[str]:
    """Give the statements that bind the rules, the terms and the views over the tables; see `rules`."""
    yield from rules(horizon, policy)
    yield from _terms(policy, costs or policy.costs)
    yield period()
    for view in VIEWS:
        yield (FOLDER / f"{view}.sql").read_text(encoding="utf-8")


def newest(db: duckdb.DuckDBPyConnection, as_of: Micros | None = None) -> Micros:
    """Give the time of the newest event of a connection that has `events`, but no later than now, or than then."""
    ((event, now),) = db.sql("select epoch_us(max(event_ts)), epoch_us(now()) from events").fetchall()
    return int(min(event or 0, now, as_of or now))


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


def _files(lake: Lake, table: Table, night: Night, as_of: Micros | None) -> list[str]:
    return lake.held(table, night=night) if as_of is None else files_at(lake, table, as_of, night)


def _terms(policy: Policy, costs: Costs) -> Iterator[str]:
    priced = ", ".join(
        f"{quoted(name)}: {f'to_microseconds({int(price)})' if isinstance(price, int) else _literal(price)}"
        for name, price in msgspec.structs.asdict(costs).items()
    )
    yield f"create or replace macro unit_costs() as {{{priced}}};"
    yield f"create or replace macro high_value() as {_literal(policy.visits.high_value)};"
    # A case, so that only what begins like such an id is hashed.
    fed = f"case when event_id like 'scan-%' then {is_fed()} else false end"
    yield f"create or replace macro is_fed(event_id, order_id, tracking_number, stage, event_ts) as {fed};"


def _literal(value: float | str) -> str:
    return quoted(value) if isinstance(value, str) else f"{value!r}::double"


def _lock(db: duckdb.DuckDBPyConnection, files: list[str], workbench: Path | None) -> None:
    """Leave the connection the pinned files to read, and nothing else of this machine or its network."""
    listed = ", ".join(map(quoted, files))
    db.execute(f"set allowed_paths = [{listed}]; set python_enable_replacements = false")
    if workbench is not None:
        db.execute(f"set allowed_directories = [{quoted(str(workbench))}]")
    db.execute("set enable_external_access = false; set lock_configuration = true")
