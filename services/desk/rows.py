"""What the desk shows, as plain rows; times are microseconds, None where nobody knows."""

from typing import NamedTuple, Optional

from schemas.fields import Micros


class OpenAlert(NamedTuple):
    """An alert in the queue, with its parcel and who has taken it on."""

    alert_id: str
    occurrence: int
    order_id: str
    tracking_number: str
    kind: str
    due_ts: Micros
    evidence: str
    carrier: Optional[str]
    warehouse_id: Optional[str]
    current_stage: Optional[str]
    promised_delivery_ts: Optional[Micros]
    acknowledged_by: Optional[str]
    acknowledged_at: Optional[Micros]
    assignee: Optional[str]


class Share(NamedTuple):
    """How many open alerts are of one kind, carrier, warehouse, and in the same hands."""

    kind: str
    carrier: Optional[str]
    warehouse_id: Optional[str]
    acknowledged: bool
    assignee: Optional[str]
    alerts: int


class Parcel(NamedTuple):
    """How a parcel stands."""

    order_id: str
    tracking_number: str
    warehouse_id: Optional[str]
    carrier: Optional[str]
    current_stage: str
    picked_at: Optional[Micros]
    packed_at: Optional[Micros]
    labeled_at: Optional[Micros]
    carrier_scanned_at: Optional[Micros]
    exception_at: Optional[Micros]
    exception_reason: Optional[str]
    out_for_delivery_at: Optional[Micros]
    attempt_failed_at: Optional[Micros]
    attempt_failed_reason: Optional[str]
    available_for_pickup_at: Optional[Micros]
    first_returned_at: Optional[Micros]
    delivered_at: Optional[Micros]
    closed_at: Optional[Micros]
    promised_delivery_ts: Optional[Micros]
    latest_promised_delivery_ts: Optional[Micros]
    updated_at: Micros


class AlertState(NamedTuple):
    """An alert of a parcel, open or not."""

    tracking_number: str
    alert_id: str
    kind: str
    due_ts: Micros
    state: str
    state_ts: Micros
    evidence: str


class HandlingStep(NamedTuple):
    """What somebody did about an alert."""

    alert_id: str
    step: str
    who: str
    assignee: Optional[str]
    note: Optional[str]
    at: Micros


class NewsSent(NamedTuple):
    """A message about a parcel, and what became of it."""

    tracking_number: str
    milestone: str
    channel: str
    happened_at: Micros
    state: str
    sent_at: Optional[Micros]
