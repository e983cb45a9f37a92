"""The rules of alerts once more, by another road: straight from the set of events, with no journey and no state."""

from collections.abc import Iterable

from schemas.events import Event
from schemas.fields import HOUR, MINUTE, Micros

CLOSING = {"cancelled", "failed", "lost", "delivered", "return_started", "returned"}
LAST_MILE = {"attempt_failed", "available_for_pickup"} | CLOSING
SCANNED = {"carrier_scanned", "in_transit", "hub_in", "hub_out", "out_for_delivery"} | LAST_MILE
CLOCKS = {
    "pick_pack_delay": ("picked", 30 * MINUTE, {"packed", "labeled"} | SCANNED),
    "label_scan_delay": ("labeled", 2 * HOUR, SCANNED),
    "last_mile_delay": ("out_for_delivery", 12 * HOUR, LAST_MILE),
}
Known = tuple[str, str, str, Micros, str, Micros]


def expected(events: Iterable[Event], horizon: Micros) -> set[Known]:
    """Give (order, waybill, kind, due, state, state time) of every alert that holds at the horizon."""
    parcels: dict[tuple[str, str], list[Event]] = {}
    for event in {event.event_id: event for event in events}.values():
        parcels.setdefault((event.order_id or "", event.tracking_number), []).append(event)
    known = set()
    for parcel, told in parcels.items():
        for kind, due, awaited in _awaited(told):
            came = min((e.event_ts for e in told if e.stage in awaited), default=None)
            if due <= horizon and (came is None or came > due):
                known.add((*parcel, kind, due, *(("raised", due) if came is None else ("cleared", came))))
    return known


def _awaited(told: list[Event]) -> Iterable[tuple[str, Micros, set[str]]]:
    for kind, (anchor, limit, awaited) in CLOCKS.items():
        if starts := [e.event_ts for e in told if e.stage == anchor]:
            yield kind, min(starts) + limit, awaited
    promises = [e for e in told if e.promised_delivery_ts is not None]
    if promises:
        promise = min(promises, key=lambda e: (e.event_ts, e.event_id)).promised_delivery_ts or 0
        yield "sla_at_risk", promise - 4 * HOUR, CLOSING
        yield "sla_breached", promise, CLOSING
    for event in told:
        if event.stage in ("exception", "attempt_failed"):
            yield event.stage, event.event_ts, CLOSING
