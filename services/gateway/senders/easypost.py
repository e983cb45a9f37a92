"""EasyPost: tracker events, each of which repeats the tracker's whole history."""

import unicodedata
from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import Options
from services.gateway.senders.proofs import prove, signature
from services.gateway.senders.sender import Delivery
from services.gateway.senders.times import instant, promised


class _Location(Struct):
    city: Optional[str] = None


class _Detail(Struct):
    datetime: str
    status: str
    status_detail: Optional[str] = None
    tracking_location: Optional[_Location] = None


class _CarrierDetail(Struct):
    guaranteed_delivery_date: Optional[str] = None


class _Tracker(Struct):
    tracking_code: str
    carrier: str
    tracking_details: Optional[list[_Detail]] = None
    carrier_detail: Optional[_CarrierDetail] = None
    finalized: Optional[bool] = None
    is_return: Optional[bool] = None


class _Event(Struct):
    description: str
    result: msgspec.Raw


_EVENT = msgspec.json.Decoder(_Event)
_TRACKER = msgspec.json.Decoder(_Tracker)


class EasyPost(Adapter[Options]):
    """Signs the body: `X-Hmac-Signature: hmac-sha256-hex=…`, with the secret in Unicode's form NFKD as the key."""

    kind: ClassVar[str] = "easypost"

    def verify(self, delivery: Delivery) -> None:
        """Compare the signature of the body."""
        keys = [unicodedata.normalize("NFKD", secret).encode() for secret in self.secrets]
        signatures = [f"hmac-sha256-hex={signature(key, delivery.body).hex()}" for key in keys]
        prove([delivery.headers.get("x-hmac-signature", "")], signatures)

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each detail of the tracker; and, once all is over for one sent back, that it came back."""
        event = decode(body, _EVENT)
        if not event.description.startswith("tracker."):
            yield None
            return
        tracker = decode(bytes(event.result), _TRACKER)
        carrier = self.carrier(tracker.carrier, "carrier")
        number = plain.waybill(tracker.tracking_code, "tracking_code")
        promise = promised((tracker.carrier_detail or _CarrierDetail()).guaranteed_delivery_date)
        details = tracker.tracking_details or []
        scan = None
        for detail in details:
            scan = Scan(
                carrier,
                number,
                (detail.status, detail.status_detail or ""),
                instant(detail.datetime, "tracking_details.datetime"),
                plain.place((detail.tracking_location or _Location()).city),
                promise=promise,
                returning=bool(tracker.is_return),
            )
            yield scan
        if scan and scan.code[0] == "return_to_sender" and tracker.finalized:
            yield scan._replace(code=("return_to_sender", "finalized"))
