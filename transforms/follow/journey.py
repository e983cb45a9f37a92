"""The journey of one parcel: what its accepted events say, as a pure function of their set.

Nothing here depends on the order in which events arrive: milestones keep the earliest time of each stage, attributes
come from the earliest event that has them (ties by event_id), the declared value is the largest ever declared.
"""

import sys
from typing import Optional

from msgspec import Struct, field

from schemas.events import Event
from schemas.fields import Micros
from schemas.stages import CARRIER_STAGES, CLOSING_STAGES, RANK, STAGES, TROUBLE_STAGES

Moment = tuple[Micros, str]
"""An event's place in the parcel's life: its time, then its id."""

ATTRIBUTES = ("carrier", "warehouse_id", "promised_delivery_ts", "customer_id")
"""What the earliest event that has it says."""


class Scan(Struct, array_like=True, gc=False):
    """One event of the carrier's, as far as visits need it."""

    ts: Micros
    stage: str
    hub: Optional[str]


class Journey(Struct, array_like=True):
    """All that is known of one parcel.

    Attributes:
        first: the earliest time of each stage.
        seen: ids of the events folded in, to tell a redelivery.
        sources: the events that told the attributes, in the order of `ATTRIBUTES`.
        known: from when the attributes are known; an event after this moment cannot change them.
        troubles: time, stage and reason of each exception and failed attempt.
        scans: the carrier's events, while visits may still need them.
        last_ts: the newest event.
        closed_ts: the earliest closing stage: when the wait for the delivery ended.
        latest_promise: what the last event that has a promise says; `latest_source` is that event.
    """

    order_id: str
    tracking_number: str
    first: dict[str, Micros] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    carrier: Optional[str] = None
    warehouse_id: Optional[str] = None
    promised_delivery_ts: Optional[Micros] = None
    sources: list[Optional[Moment]] = field(default_factory=lambda: [None] * len(ATTRIBUTES))
    known: Optional[Moment] = None
    declared_value: float = 0.0
    troubles: list[tuple[Micros, str, str]] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    last_ts: Micros = 0
    closed_ts: Optional[Micros] = None
    customer_id: Optional[str] = None
    latest_promise: Optional[Micros] = None
    latest_source: Optional[Moment] = None


def fold(journey: Journey, event: Event) -> bool:
    """Fold one event into a journey; give False when it had been folded in before, and nothing changed."""
    if event.event_id in journey.seen:
        return False
    journey.seen.add(event.event_id)
    # A stage's own name, not the copy that came in with this event: parcels in mind are many.
    ts, stage = event.event_ts, STAGES[event.stage].name
    earliest = journey.first.get(stage)
    if earliest is None or ts < earliest:
        journey.first[stage] = ts
    if ts > journey.last_ts:
        journey.last_ts = ts
    if stage in CLOSING_STAGES and (journey.closed_ts is None or ts < journey.closed_ts):
        journey.closed_ts = ts
    moment = (ts, event.event_id)
    if journey.known is None or moment < journey.known:
        _learn(journey, event, moment)
    promise = event.promised_delivery_ts
    if promise is not None and (journey.latest_source is None or moment > journey.latest_source):
        journey.latest_promise, journey.latest_source = promise, moment
    if event.declared_value is not None and event.declared_value > journey.declared_value:
        journey.declared_value = event.declared_value
    if stage in TROUBLE_STAGES:
        trouble = (ts, stage, event.reason or "")
        if trouble not in journey.troubles:
            journey.troubles.append(trouble)
    if stage in CARRIER_STAGES:
        journey.scans.append(Scan(ts, stage, event.hub and sys.intern(event.hub)))
    return True


def _learn(journey: Journey, event: Event, moment: Moment) -> None:
    """Take the attributes of an event where no earlier event has them."""
    complete = True
    for place, name in enumerate(ATTRIBUTES):
        value = getattr(event, name)
        if value is None:
            complete = False
            continue
        source = journey.sources[place]
        if source is None or moment < source:
            journey.sources[place] = moment
            setattr(journey, name, sys.intern(value) if isinstance(value, str) else value)
    if complete:
        journey.known = moment


def delivered_at(journey: Journey) -> Micros | None:
    """Give when the customer got the parcel. What is delivered after the return began went back to the sender."""
    delivered = journey.first.get("delivered")
    returned = min((journey.first[s] for s in ("return_started", "returned") if s in journey.first), default=None)
    return None if delivered is None or (returned is not None and returned < delivered) else delivered


def current_stage(journey: Journey) -> str:
    """Give where the parcel stands: the stage of highest rank it reached, never the newest event."""
    return max(journey.first, key=RANK.__getitem__)


def sla_status(journey: Journey, at: Micros, at_risk: int) -> str:
    """Give how the promise stands at a time.

    Args:
        journey: the parcel.
        at: the time asked about.
        at_risk: microseconds before the promise from which an undelivered parcel is at risk.
    """
    promise = journey.promised_delivery_ts
    delivered = delivered_at(journey)
    if delivered is not None:
        return "no_promise" if promise is None else "on_time" if delivered <= promise else "late"
    closings = [stage for stage in journey.first if stage in CLOSING_STAGES and stage != "delivered"]
    if closings:
        return max(closings, key=RANK.__getitem__)
    if promise is None:
        return "no_promise"
    if at > promise:
        return "breached"
    return "at_risk" if promise - at <= at_risk else "on_track"
