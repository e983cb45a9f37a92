"""The rows of the lake's tables, one class a table. Plain data: no methods, nothing but fields."""

from typing import Optional

from msgspec import Struct

from schemas.fields import Micros


class Milestone(Struct, array_like=True, gc=False):
    """A parcel reached a stage at a time: a fact. The earliest one of a stage counts; the others are evidence."""

    order_id: str
    tracking_number: str
    milestone: str
    event_ts: Micros


class Alert(Struct, array_like=True, gc=False, order=True):
    """One moment in the life of an alert: raised at `due_ts`, cleared or retracted at `state_ts`."""

    alert_id: str
    state: str
    order_id: str
    tracking_number: str
    kind: str
    due_ts: Micros
    state_ts: Micros
    evidence: str


class Visit(Struct, array_like=True, gc=False):
    """A burst of carrier scans of one parcel, with no silence as long as the session gap inside it."""

    visit_id: str
    order_id: str
    tracking_number: str
    start_ts: Micros
    end_ts: Micros
    events: int
    hubs: list[str]
    ended_ts: Optional[Micros]
    """When the parcel was delivered or closed, if that lies inside this visit."""
    closed: bool
    """The session gap has passed since `end_ts`; an open visit may still grow."""


class HubScan(Struct, array_like=True, gc=False):
    """One line of a carrier's bulk file: a parcel was seen at a hub."""

    carrier: str
    tracking_number: str
    scan_ts: Micros
    code: str
    hub: str
    stage: str
    source: str


class HubLeg(Struct, array_like=True, gc=False):
    """A parcel's stay at one hub, from the scans that show it."""

    carrier: str
    tracking_number: str
    hub: str
    in_ts: Micros
    out_ts: Optional[Micros]
    """None while the parcel is still there, as far as anybody knows."""
    in_inferred: bool
    """The in-scan is missing: `in_ts` is the first scan there was, and the parcel may have come before it."""
    out_inferred: bool
    """The out-scan is missing: `out_ts` is the next scan elsewhere, and the parcel left no later than that."""
    scans: int
    dwell_minutes: Optional[float]


class Shipment(Struct, array_like=True, gc=False):
    """One parcel and all that is known of it: milestones, promise, outcome, delay."""

    order_id: str
    tracking_number: str
    customer_id: Optional[str]
    warehouse_id: Optional[str]
    carrier: Optional[str]
    origin_region: Optional[str]
    dest_region: Optional[str]
    declared_value: Optional[float]
    currency: Optional[str]
    first_event_ts: Micros
    last_event_ts: Micros
    events: int
    hub_scans: int
    picked_at: Optional[Micros]
    packed_at: Optional[Micros]
    labeled_at: Optional[Micros]
    carrier_scanned_at: Optional[Micros]
    out_for_delivery_at: Optional[Micros]
    attempt_failed_at: Optional[Micros]
    available_for_pickup_at: Optional[Micros]
    delivered_at: Optional[Micros]
    closed_at: Optional[Micros]
    attempts_failed: int
    exceptions: int
    promised_delivery_ts: Optional[Micros]
    latest_promised_delivery_ts: Optional[Micros]
    current_stage: str
    outcome: str
    late_minutes: Optional[float]


class Rejection(Struct, array_like=True, gc=False):
    """A record that could not be taken: its raw bytes, why, and where it came from."""

    rejection_id: str
    reason: str
    detail: str
    raw: bytes
    raw_size: int
    """Its size in bytes, as far as it was read."""
    source: str
    position: int
    """Line number, from 1."""
    received_ts: Micros
