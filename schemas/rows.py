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
    reason: Optional[str]
    source: str
    """The files that hold it, joined by `|`: it stays as long as one of them does."""


class HubFile(Struct, array_like=True, gc=False):
    """A carrier's bulk file as it was last judged; a file that comes again or corrected takes the same place."""

    file: str
    """Its place: folder and name, without a revision and without what it is packed in."""
    name: str
    """Its name in the drop folder."""
    content: str
    """Hash of its bytes and of the profile it was read by: what was seen is not read again."""
    state: str
    """`taken` or `quarantined`."""
    detail: str
    rows: int
    bad_rows: int
    scans: int
    """Rows taken; those that are only information are not among them."""
    first_scan_ts: Optional[Micros]
    last_scan_ts: Optional[Micros]
    """Of the scans that count: those of the file before it, if this one is not taken."""
    size: int
    """Bytes, as it lies in the drop folder."""
    day_ts: Micros
    """Midnight of the service day in its name."""
    left_ts: Micros
    """When the carrier left it."""


class Finding(Struct, array_like=True, gc=False):
    """A difference between what the live side knows of a parcel and what its carrier's files tell."""

    carrier: str
    tracking_number: str
    finding: str
    """`missed_live`, `missed_batch`, `time_conflict`, `unknown_waybill` or `after_terminal`."""
    milestone: str
    order_id: Optional[str]
    live_ts: Optional[Micros]
    batch_ts: Optional[Micros]
    scans: int
    """Scans concerned."""
    counts: str
    """Whose time counts, `live` or `batch`; empty where neither does."""
    why: str
    at_ts: Micros
    """The scan's time, or the live event's where there is no scan."""


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
    first_scan_ts: Optional[Micros]
    hub_legs: int
    hub_minutes: Optional[float]
    """Minutes at hubs, of the legs whose end is known."""
    picked_at: Optional[Micros]
    packed_at: Optional[Micros]
    labeled_at: Optional[Micros]
    carrier_scanned_at: Optional[Micros]
    in_transit_at: Optional[Micros]
    hub_in_at: Optional[Micros]
    hub_out_at: Optional[Micros]
    exception_at: Optional[Micros]
    out_for_delivery_at: Optional[Micros]
    attempt_failed_at: Optional[Micros]
    available_for_pickup_at: Optional[Micros]
    delivered_at: Optional[Micros]
    failed_at: Optional[Micros]
    lost_at: Optional[Micros]
    cancelled_at: Optional[Micros]
    return_started_at: Optional[Micros]
    returned_at: Optional[Micros]
    closed_at: Optional[Micros]
    attempts_failed: int
    exceptions: int
    promised_delivery_ts: Optional[Micros]
    latest_promised_delivery_ts: Optional[Micros]
    current_stage: str
    outcome: str
    late_minutes: Optional[float]
    late_by_shipper: Optional[float]
    """Minutes of `late_minutes` that are the shipper's; so for the other three, and the four add up to it."""
    late_by_carrier: Optional[float]
    late_by_customer: Optional[float]
    late_by_external: Optional[float]


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


class Status(Struct, array_like=True, gc=False):
    """What is known of one parcel while it moves, with the evidence by which two such rows of it merge.

    `…_by` names the event that told a thing, as its time and id: text that sorts as they do.
    """

    order_id: str
    tracking_number: str
    current_stage: str
    current_rank: int
    customer_id: Optional[str] = None
    customer_by: Optional[str] = None
    warehouse_id: Optional[str] = None
    warehouse_by: Optional[str] = None
    carrier: Optional[str] = None
    carrier_by: Optional[str] = None
    promised_delivery_ts: Optional[Micros] = None
    promised_by: Optional[str] = None
    latest_promised_delivery_ts: Optional[Micros] = None
    latest_promised_by: Optional[str] = None
    picked_at: Optional[Micros] = None
    packed_at: Optional[Micros] = None
    labeled_at: Optional[Micros] = None
    carrier_scanned_at: Optional[Micros] = None
    exception_at: Optional[Micros] = None
    exception_reason: Optional[str] = None
    out_for_delivery_at: Optional[Micros] = None
    attempt_failed_at: Optional[Micros] = None
    attempt_failed_reason: Optional[str] = None
    available_for_pickup_at: Optional[Micros] = None
    first_delivered_at: Optional[Micros] = None
    """Of any leg: whether it is the delivery that counts depends on `first_returned_at`."""
    first_returned_at: Optional[Micros] = None
    """The earliest sign of a return."""
    closed_at: Optional[Micros] = None
