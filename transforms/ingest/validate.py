"""Check that an event could be true: known stage, plain carrier name, times inside a parcel's life."""

import datetime
import re

from schemas.events import Event, WireEvent
from schemas.fields import Micros, parse_time, to_micros, to_text
from schemas.rejections import Rejected
from schemas.stages import STAGES

EARLIEST: Micros = parse_time("2000-01-01T00:00:00Z")
LATEST_PROMISE: Micros = parse_time("2100-01-01T00:00:00Z")
# A carrier names a partition: no path separators, no control characters, nothing that could climb out of the lake.
_CARRIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}")


def validate(wire: WireEvent, latest: Micros) -> Event:
    """Check an event and give it in Milepost's own form.

    Args:
        wire: the event as its sender wrote it.
        latest: the horizon and the tolerance for a sender's fast clock; no event may lie after it.

    Raises:
        Rejected: the event cannot be taken.
    """
    if wire.stage not in STAGES:
        raise Rejected("unknown_stage", wire.stage[:64])
    carrier = wire.carrier or None
    if carrier is not None and not plain_carrier(carrier):
        raise Rejected("invalid_carrier", "the carrier's name may have letters, digits, space and _ . & - only")
    if wire.order_id is None and carrier is None:
        raise Rejected("missing_field", "without order_id an event needs carrier and tracking_number")
    event_ts = _time(wire.event_ts, "event_ts")
    if event_ts > latest:
        raise Rejected("future_timestamp", to_text(event_ts))
    if wire.successor == wire.tracking_number:
        raise Rejected("invalid_value", "successor is the waybill itself")
    promise = None if wire.promised_delivery_ts is None else _time(wire.promised_delivery_ts, "promised_delivery_ts")
    return Event(
        wire.event_id,
        wire.order_id,
        wire.customer_id or None,
        wire.stage,
        wire.warehouse_id or None,
        carrier,
        wire.tracking_number,
        promise,
        event_ts,
        wire.reason or None,
        wire.hub or None,
        wire.origin_region or None,
        wire.dest_region or None,
        wire.declared_value,
        wire.currency or None,
        None if wire.received_ts is None else _time(wire.received_ts, "received_ts"),
        wire.successor,
    )


def plain_carrier(name: str) -> bool:
    """Tell whether a carrier's name is a plain name, fit to name a folder.

    >>> plain_carrier("Blue Dart"), plain_carrier("../x"), plain_carrier("a=b/c")
    (True, False, False)
    """
    return _CARRIER.fullmatch(name) is not None and ".." not in name


def _time(moment: datetime.datetime, field: str) -> Micros:
    ts = to_micros(moment)
    # Past the longest life of any promise it is no fast clock but a wrong number.
    if not EARLIEST <= ts <= LATEST_PROMISE:
        raise Rejected("absurd_timestamp", f"{field} {moment.isoformat()}")
    return ts
