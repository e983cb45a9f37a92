"""Alerts: their kinds, their states, and the identity that makes one the same alert wherever it is raised."""

import hashlib
from collections.abc import Mapping

from schemas.fields import Micros, to_text
from schemas.rows import Alert
from schemas.stages import CLOSING_STAGES, at_or_beyond

RAISED, CLEARED, RETRACTED = "raised", "cleared", "retracted"
STATES = (RAISED, CLEARED, RETRACTED)
"""In the order of an alert's life. More evidence can only move an alert forward in it."""

AWAITED: Mapping[str, frozenset[str]] = {
    "pick_pack_delay": at_or_beyond("packed"),
    "label_scan_delay": at_or_beyond("carrier_scanned"),
    "last_mile_delay": at_or_beyond("attempt_failed"),
    "sla_at_risk": CLOSING_STAGES,
    "sla_breached": CLOSING_STAGES,
    "exception": CLOSING_STAGES,
    "attempt_failed": CLOSING_STAGES,
}
"""What each kind waits for: any of these stages, by its due time, and the alert is not raised. Progress further along
counts as well, so that a missed scan is not taken for a parcel that did not move."""

ANCHOR: Mapping[str, str] = {
    "pick_pack_delay": "picked",
    "label_scan_delay": "labeled",
    "last_mile_delay": "out_for_delivery",
}
"""The stage whose earliest time starts the clock, for the kinds that have one."""

SILENT = "silent_high_value"
KINDS = (*AWAITED, SILENT)
_AT_HUB = "hub"


def alert_id(order_id: str, tracking_number: str, kind: str, occurrence: str) -> str:
    """Give the stable identity of an alert: the same on every engine, in every replay.

    The occurrence holds the due time. When late evidence moves the due time, the alert that was raised for the old
    one is retracted and another is raised, so that no row ever has to change its meaning.
    """
    text = "\x1f".join((order_id, tracking_number, kind, occurrence))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def raised(order_id: str, tracking_number: str, kind: str, due_ts: Micros, evidence: str, reason: str = "") -> Alert:
    """Make the first row of an alert's life."""
    identity = alert_id(order_id, tracking_number, kind, f"{due_ts}{reason}")
    return Alert(identity, RAISED, order_id, tracking_number, kind, due_ts, due_ts, evidence)


def overstayed(order_id: str, tracking_number: str, due_ts: Micros, evidence: str) -> Alert:
    """Make the first row of a silence that a night found: a valuable parcel that stayed too long at one hub."""
    return raised(order_id, tracking_number, SILENT, due_ts, evidence, _AT_HUB)


def is_overstay(alert: Alert) -> bool:
    """Tell whether a night raised an alert: it is for nights to judge, since no event shows it."""
    found = alert_id(alert.order_id, alert.tracking_number, SILENT, f"{alert.due_ts}{_AT_HUB}")
    return alert.kind == SILENT and alert.alert_id.partition(".")[0] == found


def cleared(alert: Alert, at: Micros, by: str) -> Alert:
    """Make the row that says: what was awaited came after all, late."""
    return _next(alert, CLEARED, at, f"{by} {to_text(at)}")


def retracted(alert: Alert, at: Micros) -> Alert:
    """Make the row that says: the alert was never true, as an event that arrived late shows."""
    return _next(alert, RETRACTED, at, "an event that arrived late shows that it was never true")


def _next(alert: Alert, state: str, at: Micros, evidence: str) -> Alert:
    return Alert(alert.alert_id, state, alert.order_id, alert.tracking_number, alert.kind, alert.due_ts, at, evidence)
