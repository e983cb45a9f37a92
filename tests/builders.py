"""Small builders: the one line that a test needs to say what happened to a parcel, and nothing else."""

import datetime
import json
from collections.abc import Iterable
from copy import copy

from schemas.alerts import RETRACTED, STATES
from schemas.events import Event
from schemas.fields import DAY, Micros, parse_time
from schemas.lines import LineBlock
from schemas.policy import Policy
from schemas.rows import Alert, Visit
from transforms.follow.journey import Journey, fold

MONDAY: Micros = parse_time("2026-03-02T00:00:00Z")
"""Day 0 of every test."""


def at(clock: str, day: int = 0) -> Micros:
    """Give a time of day, some days after Monday; "1d 09:00" says the day in the text.

    >>> at("1d 00:00") - MONDAY == DAY
    True
    """
    if "d " in clock:
        days, clock = clock.split("d ")
        day += int(days)
    time = datetime.time.fromisoformat(clock)
    seconds = (time.hour * 60 + time.minute) * 60 + time.second
    return MONDAY + day * DAY + seconds * 1_000_000 + time.microsecond


def event(stage: str, when: str | Micros = "09:00", order: str | None = "o1", waybill: str = "t1", **said) -> Event:
    """Make an accepted event; its id follows from what it says, unless `id` is given."""
    ts = at(when) if isinstance(when, str) else when
    identity = said.pop("id", None) or "/".join(map(str, (order, waybill, stage, ts, *sorted(said.items()))))
    for name in ("promise", "received"):
        if isinstance(said.get(name), str):
            said[name] = at(said[name])
    return Event(
        event_id=identity,
        order_id=order,
        customer_id=said.get("customer"),
        stage=stage,
        warehouse_id=said.get("warehouse"),
        carrier=said.get("carrier"),
        tracking_number=waybill,
        promised_delivery_ts=said.get("promise"),
        event_ts=ts,
        reason=said.get("reason"),
        hub=said.get("hub"),
        origin_region=said.get("origin"),
        dest_region=said.get("dest"),
        declared_value=said.get("value"),
        currency=said.get("currency"),
        received_ts=said.get("received"),
        successor=said.get("successor"),
    )


def journey(*events: Event) -> Journey:
    """Fold the events of one parcel."""
    whole = Journey(events[0].order_id or "", events[0].tracking_number)
    for one in events:
        fold(whole, one)
    return whole


def fresh(events: Iterable[Event]) -> list[Event]:
    """Copy events, since a tracker fills in the order of those that it takes."""
    return [copy(one) for one in events]


def wire(**said) -> dict:
    """Give a seed-shaped event as JSON fields; None takes a field out."""
    whole = {
        "event_id": "e1",
        "order_id": "o1",
        "customer_id": "c1",
        "stage": "picked",
        "warehouse_id": "w1",
        "carrier": "BlueDart",
        "tracking_number": "t1",
        "promised_delivery_ts": "2026-03-05T18:00:00Z",
        "event_ts": "2026-03-02T09:00:00Z",
    }
    return {name: value for name, value in (whole | said).items() if value is not None}


def line(**said) -> bytes:
    """Give a seed-shaped event as one line."""
    return json.dumps(wire(**said)).encode()


def block(*lines: bytes, first: int = 1, end: bytes = b"\n") -> LineBlock:
    """Make a block of lines."""
    return LineBlock("events.jsonl", first, end.join(lines), MONDAY)


def current(rows: Iterable[Alert], horizon: Micros) -> set[tuple]:
    """Give the current alerts as the lake would: the furthest state of each, without retracted, due by the horizon."""
    best: dict[str, Alert] = {}
    for row in rows:
        old = best.get(row.alert_id)
        if old is None or _life_order(row) > _life_order(old):
            best[row.alert_id] = row
    return {
        (r.order_id, r.tracking_number, r.kind, r.due_ts, r.state, r.state_ts)
        for r in best.values()
        if r.state != RETRACTED and r.due_ts <= horizon
    }


def _life_order(row: Alert) -> tuple[int, Micros]:
    return STATES.index(row.state), -row.state_ts


def policy(**sections) -> Policy:
    """Make a policy with some sections replaced."""
    return Policy(**sections)


def visit(start: str, end: str | None = None, *, events: int = 1, hubs=(), **said) -> Visit:
    """Make a visit or a piece of one."""
    ended = said.get("ended")
    return Visit(
        said.get("id", ""),
        said.get("order", "o1"),
        said.get("waybill", "t1"),
        at(start),
        at(end or start),
        events,
        list(hubs),
        at(ended) if ended else None,
        said.get("closed", False),
    )
