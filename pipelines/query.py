"""Open the lake for questions: every table and view bound by name in a DuckDB that can read the lake and nothing else.

The views are SQL files in `views/`; they hold the rules of the journey as SQL, from the events alone, so that whatever
is asked is the same function of the accepted events and the horizon as on the live side. What the last night concluded
is taken from there for parcels that nothing new is known of: the same rows, without going through their events again.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from pipelines.errors import UsageError
from pipelines.settled import settle
from schemas.fields import Micros, to_text
from schemas.night import Night
from schemas.policy import Costs, Policy
from schemas.tables import HUB_LEGS, TABLES, Table
from transforms.follow.in_sql import bind_rules, is_fed, quoted
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


def open_lake(
    path: str | Path, horizon: Micros | None = None, *, as_of: Micros | None = None, costs: Costs | None = None
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

    Raises:
        LakeError: there is no lake, or it cannot be read.
        UsageError: it knew nothing yet.
    """
    lake = Lake(path).check()
    policy = lake.policy()
    db = connect()
    try:
        # Conclusions are pinned before facts, the reverse of how a commit writes them: no alert lacks its events.
        night = lake.night() if as_of is None else night_at(lake, as_of)
        files = {table.name: _files(lake, table, night, as_of) for table in reversed(TABLES.values())}
        if as_of is not None and not any(files.values()) and any(map(lake.held, TABLES.values())):
            raise UsageError(
                f"The lake at {path} knew nothing yet at {to_text(as_of)} (--as-of); --horizon asks for what the world"
                " was then."
            )
        for table in TABLES.values():
            _bind(db, lake, table, files[table.name], horizon)
        now = _horizon(db, as_of) if horizon is None else horizon
        settle(db, lake, night, files, now, policy)
        bind_rules(db, now, policy)
        _bind_terms(db, policy, costs or policy.costs)
        choose_period(db)
        for view in VIEWS:
            db.execute((FOLDER / f"{view}.sql").read_text(encoding="utf-8"))
        _lock(db, [file for listed in files.values() for file in listed])
    except (LakeError, UsageError):
        db.close()
        raise
    except duckdb.Error as fault:
        db.close()
        raise LakeError(f"The lake at {path} cannot be read: {first_line(fault)}.") from fault
    return db


def choose_period(
    db: duckdb.DuckDBPyConnection, first: datetime.date | None = None, last: datetime.date | None = None
) -> None:
    """Let `in_period(ts)` hold for the UTC days from `first` to `last`, both included; None leaves that end open."""
    start = first.isoformat() if first else "-infinity"
    end = (last + datetime.timedelta(days=1)).isoformat() if last and last < datetime.date.max else "infinity"
    db.execute(f"create or replace macro in_period(ts) as ts >= timestamptz '{start}' and ts < timestamptz '{end}'")


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


def _bind(db: duckdb.DuckDBPyConnection, lake: Lake, table: Table, files: list[str], horizon: Micros | None) -> None:
    rows = f"from {lake.rows(table, files)}"
    if horizon is not None:
        end = f"timestamptz '{to_text(horizon)}'"
        times = [table.day_of, *(["state_ts"] if "state_ts" in table.row.__struct_fields__ else [])]
        rows += " where " + " and ".join(f"{column} <= {end}" for column in times)
        if table is HUB_LEGS:
            # Whoever left later was there still.
            rows = f"""select * replace (
                case when out_ts <= {end} then out_ts end as out_ts,
                out_inferred and out_ts <= {end} as out_inferred,
                case when out_ts <= {end} then dwell_minutes end as dwell_minutes) {rows}"""
    db.execute(f"create view {table.name} as {rows}")


def _horizon(db: duckdb.DuckDBPyConnection, as_of: Micros | None) -> Micros:
    ((newest, now),) = db.sql("select epoch_us(max(event_ts)), epoch_us(now()) from events").fetchall()
    return int(min(newest or 0, now, as_of or now))


def _bind_terms(db: duckdb.DuckDBPyConnection, policy: Policy, costs: Costs) -> None:
    priced = ", ".join(
        f"{quoted(name)}: {f'to_microseconds({int(price)})' if isinstance(price, int) else _literal(price)}"
        for name, price in msgspec.structs.asdict(costs).items()
    )
    db.execute(f"create macro unit_costs() as {{{priced}}}")
    db.execute(f"create macro high_value() as {_literal(policy.visits.high_value)}")
    # A case, so that only what begins like such an id is hashed.
    fed = f"case when event_id like 'scan-%' then {is_fed()} else false end"
    db.execute(f"create macro is_fed(event_id, order_id, tracking_number, stage, event_ts) as {fed}")


def _literal(value: float | str) -> str:
    return quoted(value) if isinstance(value, str) else f"{value!r}::double"


def _lock(db: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Leave the connection the pinned files to read, and nothing else of this machine or its network."""
    listed = ", ".join(map(quoted, files))
    db.execute(f"set allowed_paths = [{listed}]; set python_enable_replacements = false")
    db.execute("set enable_external_access = false; set lock_configuration = true")
