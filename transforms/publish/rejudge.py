"""Judge alerts of an earlier run again, by all events that the lake knows now.

A run that starts without state (a replay, a restart from nothing) does not know which alerts an earlier one raised.
So the alerts that were there before this run began, of the parcels that new events touch, are judged by all events that
the lake has: cleared or retracted, or told as another occurrence where they were retracted and prove true after all.
"""

from collections import defaultdict
from typing import TypeVar

import duckdb
import msgspec
import pyarrow as pa

from schemas.alerts import STATES, is_overstay
from schemas.events import Event
from schemas.fields import to_batch
from schemas.policy import Policy
from schemas.rows import Alert
from schemas.tables import ALERTS, EVENTS
from transforms.follow.journey import Journey, fold
from transforms.publish.lake import Lake, connect
from transforms.visits.bursts import bursts
from transforms.visits.silence import silences
from transforms.watch.deadlines import alerts, deadlines
from transforms.watch.telling import Life, Told, first_identity, occurrence, tell

_FOREVER = 1 << 62
Row = TypeVar("Row", bound=msgspec.Struct)


def rejudge(lake: Lake, before: int, touched: pa.Table, policy: Policy) -> pa.Table | None:
    """Give the rows by which alerts of an earlier run must be put right; None when there are none.

    Args:
        lake: with the new events already in it.
        before: version of the alerts table that the earlier runs left.
        touched: order_id and tracking_number of the parcels that have new events.
        policy: the limits.
    """
    delta = lake.delta(ALERTS, before)
    if delta is None:
        return None
    with connect() as db:
        db.register("touched", touched)
        db.execute(
            f"""create temp table told as
                from {lake.rows(ALERTS, lake.files(ALERTS, delta))}
                semi join touched using (order_id, tracking_number)"""
        )
        told = told_of(db, "told")
        if not told:
            return None
        db.execute(
            f"create temp view known as from {lake.rows(EVENTS)} semi join told using (order_id, tracking_number)"
        )
        news = []
        for parcel, journey in journeys_of(db, "known").items():
            mine = {identity: alert for identity, alert in told[parcel].items() if not is_overstay(alert)}
            # Only what was told once: it was due by an earlier horizon, hence by this one.
            true = [life for life in lives_of(journey, policy) if life[-1].alert_id in mine]
            news += tell(mine, true, journey.last_ts)
    return pa.Table.from_batches([to_batch(news, ALERTS.row_schema)]) if news else None


def told_of(db: duckdb.DuckDBPyConnection, alerts: str) -> dict[tuple[str, str], Told]:
    """Give the newest row of each alert of a relation, by parcel."""
    newest: dict[str, Alert] = {}
    for alert in _rows(db, Alert, alerts):
        identity = first_identity(alert.alert_id)
        old = newest.get(identity)
        if old is None or _place(old) < _place(alert):
            newest[identity] = alert
    parcels: dict[tuple[str, str], Told] = defaultdict(dict)
    for identity, alert in newest.items():
        parcels[alert.order_id, alert.tracking_number][identity] = alert
    return parcels


def _place(alert: Alert) -> tuple[int, int]:
    """Give how far an alert has come in its life."""
    return occurrence(alert.alert_id), STATES.index(alert.state)


def journeys_of(db: duckdb.DuckDBPyConnection, events: str) -> dict[tuple[str, str], Journey]:
    """Give the journey of each parcel that a relation of events tells of."""
    journeys: dict[tuple[str, str], Journey] = {}
    for event in _rows(db, Event, events):
        assert event.order_id is not None
        parcel = (event.order_id, event.tracking_number)
        if parcel not in journeys:
            journeys[parcel] = Journey(*parcel)
        fold(journeys[parcel], event)
    return journeys


def lives_of(journey: Journey, policy: Policy) -> list[Life]:
    """Give the lives of all alerts that a journey's events raise, whatever the horizon."""
    due = deadlines(journey, policy.limits_for(journey.carrier, journey.warehouse_id))
    gap = policy.visits.gap
    lives = alerts(journey, due, _FOREVER)
    if journey.declared_value >= policy.visits.high_value:
        visits = bursts(journey.order_id, journey.tracking_number, journey.scans, gap)
        lives += silences(visits, journey.closed_ts, gap, _FOREVER)
    return lives


def _rows(db: duckdb.DuckDBPyConnection, row: type[Row], relation: str) -> list[Row]:
    times = {"due_ts", "state_ts", "event_ts", "promised_delivery_ts", "received_ts"}
    columns = ", ".join(f"epoch_us({name})" if name in times else name for name in row.__struct_fields__)
    return [row(*values) for values in db.execute(f"select {columns} from {relation}").fetchall()]
