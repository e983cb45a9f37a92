"""The parcels in scope as a whole: every event that counts, live or out of a file, and their rows in `shipments`."""

from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.events import Event
from schemas.tables import EVENTS, SHIPMENTS
from transforms.follow.in_sql import bind_rules, parts, quoted
from transforms.publish.lake import Lake
from transforms.publish.revise import Revision, revise
from transforms.reconcile.conclude import FOR_PARCELS
from transforms.reconcile.evidence import FED_COLUMNS, known_events
from transforms.reconcile.scope import Scope

MOST = 3_000_000
"""Events that parcels are concluded from at a time, about: what DuckDB knows of a parcel meanwhile it cannot spill."""

_MOMENT = pa.timestamp("us", "UTC")
_PARCEL = [("order_id", pa.string()), ("tracking_number", pa.string())]
_EMPTY = {
    "fed": pa.schema([EVENTS.schema.field(name) for name in FED_COLUMNS.split(", ")]),
    "tallies": pa.schema(
        [
            *_PARCEL,
            ("hub_scans", pa.int64()),
            ("first_scan_ts", _MOMENT),
            ("hub_legs", pa.int64()),
            ("hub_minutes", pa.float64()),
        ]
    ),
    "incidents": pa.schema([*_PARCEL, ("ts", _MOMENT), ("reason", pa.string()), ("until_ts", _MOMENT)]),
    "stays": pa.schema([*_PARCEL, ("hub", pa.string()), ("in_ts", _MOMENT), ("out_ts", _MOMENT)]),
}
"""Columns of what was laid aside for parcels, where no carrier has any."""


def bind_parcels(db: duckdb.DuckDBPyConnection, scope: Scope, carriers: int) -> None:
    """Bind what was laid aside of that many carriers, the events that count as `every_event`, and the rules.

    The rules are over `events`: all of them, until another part of them is bound.
    """
    for name in FOR_PARCELS:
        files = [str(Path(scope.folder, f"{name}-{number}.parquet")) for number in range(carriers)]
        if files:
            db.execute(f"create view {name} as from read_parquet([{', '.join(map(quoted, files))}])")
        else:
            db.register(name, _EMPTY[name].empty_table())
    names = Event.__struct_fields__
    db.execute(
        f"""create view every_event as
            select {", ".join(names)} from {known_events(scope)} where not fed
            union all by name select {FED_COLUMNS} from fed"""
    )
    db.execute("create view events as from every_event")
    bind_rules(db, scope.horizon, scope.policy)


def write_shipments(db: duckdb.DuckDBPyConnection, scope: Scope) -> Revision:
    """Write the rows of the parcels in scope, part by part, on a connection that `bind_parcels` has bound."""
    db.execute(Path(__file__).with_name("shipments.sql").read_text(encoding="utf-8"))
    db.execute("create temp table shipments as from concluded where false")
    ((events,),) = db.execute("select count(*) from every_event").fetchall()
    for part in parts(events, MOST):
        db.execute(f"create or replace view events as from every_event where {part}")
        db.execute("insert into shipments from concluded")
    lake = Lake(scope.lake)
    before = lake.held(SHIPMENTS, scope.shipped_since)
    return revise(db, lake, SHIPMENTS, "shipments", before, scope.concerned)
