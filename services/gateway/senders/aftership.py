"""AfterShip Tracking: updates of a tracking, each of which repeats all its checkpoints."""

import base64
from collections.abc import Iterator, Mapping
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import CarrierId, Header, Options
from services.gateway.senders.proofs import prove, signature
from services.gateway.senders.sender import Delivery, Successor
from services.gateway.senders.times import instant, promised


class AfterShipOptions(Options, kw_only=True, frozen=True):
    """What may be set of AfterShip."""

    header: Header = "aftership-hmac-sha256"
    """Returns and Shipping have another one."""
    zones: Mapping[CarrierId, str] = {}
    """IANA zone of carriers whose checkpoints have a local time without one; else such a body is refused."""


class _Checkpoint(Struct):
    checkpoint_time: str
    tag: str
    subtag: Optional[str] = None
    city: Optional[str] = None


class _Courier(Struct):
    slug: Optional[str] = None
    tracking_number: Optional[str] = None


class _Tracking(Struct):
    tracking_number: str
    slug: str
    order_id: Optional[str] = None
    order_promised_delivery_date: Optional[str] = None
    checkpoints: Optional[list[_Checkpoint]] = None
    next_couriers: Optional[list[_Courier]] = None


class _Update(Struct):
    msg: _Tracking


_UPDATE = msgspec.json.Decoder(_Update)
# AfterShip's slugs that are other words than Milepost's names; the slug of DHL Express is dhl alone.
_SLUGS = {"dhl": "dhl_express"}


class AfterShip(Adapter[AfterShipOptions]):
    """Signs the body: base64 of its HMAC."""

    kind: ClassVar[str] = "aftership"
    options_type: ClassVar[type[Options]] = AfterShipOptions

    def verify(self, delivery: Delivery) -> None:
        """Compare the signature of the body."""
        signatures = [base64.b64encode(signature(key.encode(), delivery.body)).decode() for key in self.secrets]
        prove([delivery.headers.get(self.options.header, "")], signatures)

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each checkpoint, and the courier that goes on."""
        tracking = decode(body, _UPDATE).msg
        carrier = self._slug(tracking.slug)
        number = plain.waybill(tracking.tracking_number, "tracking_number")
        order_id = self.order(tracking.order_id, "order_id")
        promise = promised(tracking.order_promised_delivery_date)
        newest = None
        for checkpoint in tracking.checkpoints or []:
            ts = instant(checkpoint.checkpoint_time, "checkpoint_time", self.options.zones.get(carrier))
            newest = max(newest or ts, ts)
            yield Scan(
                carrier,
                number,
                (checkpoint.subtag or checkpoint.tag,),
                ts,
                # `location` is the carrier's own text, and may be a person's address.
                plain.place(checkpoint.city),
                order_id,
                promise,
            )
        for courier in tracking.next_couriers or []:
            if courier.slug and courier.tracking_number:
                goes_on = plain.waybill(courier.tracking_number, "next_couriers.tracking_number")
                if goes_on != number:
                    yield Successor(carrier, number, self._slug(courier.slug), goes_on, newest, order_id, promise)

    def _slug(self, slug: str) -> str:
        return self.carrier(slug if slug in self.options.carriers else _SLUGS.get(slug, slug), "slug")
