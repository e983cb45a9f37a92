"""The event: one thing that happened to one parcel, as the shop or its carrier tells it.

`WireEvent` is the JSON of the contract, exactly as it may come in; `Event` is what is left once it has
been checked: every required field there, times in microseconds.
"""

import datetime
from typing import Annotated, Optional

import msgspec
import pyarrow as pa
from msgspec import Meta, Struct

from schemas.fields import Micros, to_text

Text = Annotated[str, Meta(min_length=1, max_length=256)]
Moment = Annotated[datetime.datetime, Meta(tz=True)]
Money = Annotated[float, Meta(ge=0)]


class WireEvent(Struct, gc=False):
    """An event as a sender writes it: one JSON object. Unknown fields are ignored (and counted)."""

    event_id: Text
    stage: str
    tracking_number: Text
    event_ts: Moment
    order_id: Optional[Text] = None
    customer_id: Optional[str] = None
    warehouse_id: Optional[str] = None
    carrier: Optional[str] = None
    promised_delivery_ts: Optional[Moment] = None
    reason: Optional[str] = None
    hub: Optional[str] = None
    origin_region: Optional[str] = None
    dest_region: Optional[str] = None
    declared_value: Optional[Money] = None
    currency: Optional[str] = None
    received_ts: Optional[Moment] = None
    successor: Optional[Text] = None
    """The waybill that takes the place of this event's one."""


class StrictWireEvent(WireEvent, gc=False, forbid_unknown_fields=True):
    """The same, refusing unknown fields: tried first, since it costs nothing and tells when to count them."""


class Event(Struct, array_like=True, gc=False):
    """An accepted event. Only an event whose order is still to be found by its waybill has no `order_id`."""

    event_id: str
    order_id: Optional[str]
    customer_id: Optional[str]
    stage: str
    warehouse_id: Optional[str]
    carrier: Optional[str]
    tracking_number: str
    promised_delivery_ts: Optional[Micros]
    event_ts: Micros
    reason: Optional[str]
    hub: Optional[str]
    origin_region: Optional[str]
    dest_region: Optional[str]
    declared_value: Optional[float]
    currency: Optional[str]
    received_ts: Optional[Micros]
    successor: Optional[str] = None


_TIMES = ("promised_delivery_ts", "event_ts", "received_ts")


def to_json(event: Event) -> bytes:
    """Give an event as one line of the contract's JSON again, without the fields it does not have."""
    named = {name: value for name in Event.__struct_fields__ if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(named | {name: to_text(named[name]) for name in _TIMES if name in named})


class Origin(Struct, array_like=True, gc=False):
    """Where a line came from: kept with an event that may yet have to be rejected."""

    raw: bytes
    source: str
    position: int
    received_ts: Micros


class EventBatch(Struct, array_like=True, gc=False):
    """Accepted events on their way between workers, and the origins, by place, of those without an order."""

    events: list[Event]
    origins: dict[int, Origin] = {}


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(EventBatch)


def pack_events(batch: EventBatch) -> bytes:
    """Pack a batch for the way: MessagePack, compressed, after its length."""
    plain = _ENCODER.encode(batch)
    return len(plain).to_bytes(4, "big") + bytes(pa.compress(plain, "lz4", asbytes=True))


def unpack_events(packed: bytes) -> EventBatch:
    """Unpack what `pack_events` packed."""
    size = int.from_bytes(packed[:4], "big")
    return _DECODER.decode(pa.decompress(packed[4:], size, "lz4", asbytes=True))
