"""Reissued waybills: an event that names its waybill's successor also tells when that was labeled, and for whom."""

import hashlib
from collections.abc import Iterable

import msgspec

from schemas.events import Event


def labels(events: Iterable[Event]) -> list[Event]:
    """Give what follows from the events that name a successor and have an order: each successor's label.

    It follows from one event alone, and its id from that event's: so neither order nor repetition counts. Without an
    order in it nothing follows, since whose the waybill is may be known only later: then the shop's own label of the
    successor must tell.
    """
    return [_label(event, event.successor) for event in events if event.successor and event.order_id is not None]


def _label(event: Event, waybill: str) -> Event:
    # Hashed, since an id with something added could be longer than ids may be.
    identity = hashlib.blake2b(event.event_id.encode(), digest_size=16).hexdigest()
    return msgspec.structs.replace(
        event,
        event_id=f"reissue-{identity}",
        stage="labeled",
        tracking_number=waybill,
        reason=None,
        hub=None,
        successor=None,
    )
