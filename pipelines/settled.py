"""Settled parcels: those whose row the last night concluded and of which nothing new is known."""

import duckdb

from schemas.fields import Micros, to_datetime
from schemas.night import Night
from schemas.policy import Policy
from schemas.rows import Shipment
from schemas.tables import EVENTS, SHIPMENTS
from transforms.publish.lake import Lake, LakeError
from transforms.reconcile.rules import digest

_OF_FILES = ("hub_scans", "first_scan_ts", "hub_legs", "hub_minutes")
_OF_HORIZON = ("outcome", "late_minutes", "late_by_shipper", "late_by_carrier", "late_by_customer", "late_by_external")
COLUMNS = [name for name in Shipment.__struct_fields__ if name not in (*_OF_FILES, *_OF_HORIZON)]
"""What a parcel's events alone tell, whatever the time is."""


def settle(
    db: duckdb.DuckDBPyConnection,
    lake: Lake,
    night: Night,
    files: dict[str, list[str]],
    horizon: Micros,
    policy: Policy,
) -> None:
    """Bind the rows of settled parcels as `pieces.settled`, and the events of all others as `pieces.told`.

    Settled is a parcel of which no event is newer than the night or later than the horizon, and none names a successor,
    which no row has. Its row is what the rules conclude from its events, so nobody need go through these again; what of
    it depends on the horizon is told anew.
    Nothing is bound where it is not known what the night saw, or where it went by other rules.

    Args:
        db: a connection that has `events`.
        lake: which lake.
        night: its last finished night.
        files: the files of each table, by its name.
        horizon: the time up to which the world is known.
        policy: the limits.
    """
    seen = night.seen.get(EVENTS.name)
    if seen is None or night.rules != digest(policy):
        return
    try:
        then = lake.delta(EVENTS, seen)
    except LakeError:
        return
    known = files[EVENTS.name]
    fresh = sorted({*known} - {*(lake.files(EVENTS, then) if then else [])})
    beyond = lake.from_day(EVENTS, known, to_datetime(night.horizon).date())
    concluded = lake.rows(SHIPMENTS, files[SHIPMENTS.name])
    db.execute(
        f"""create schema pieces;
        create table pieces.unsettled as
            select order_id, tracking_number from {lake.rows(EVENTS, fresh)}
            union
            select order_id, tracking_number from {lake.rows(EVENTS, beyond)}
                where event_ts > make_timestamptz({night.horizon})
            union
            select order_id, tracking_number from events where successor is not null
            union
            select order_id, tracking_number from {concluded} where last_event_ts > make_timestamptz({horizon})"""
    )
    ((news,),) = db.sql("select count(*) from pieces.unsettled").fetchall()
    # Mostly there are none, and no parcel need be looked for among them.
    theirs = "semi join pieces.unsettled using (order_id, tracking_number)" if news else "where false"
    others = "anti join pieces.unsettled using (order_id, tracking_number)" if news else ""
    db.execute(
        f"""create view pieces.told as from events {theirs};
        create view pieces.settled as
            select {", ".join(COLUMNS)},
                case when delivered_at is null and closed_at is not null then outcome end as closed_as
            from {concluded} {others}"""
    )
