"""Shippo: `track_updated`, with the newest status and the history."""

from collections.abc import Iterator
from typing import ClassVar, Literal, Optional

import msgspec
from msgspec import Struct

from schemas.fields import SECOND
from services.gateway.senders import plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import Header, Options
from services.gateway.senders.proofs import check_age, prove, signature, unix
from services.gateway.senders.sender import Delivery
from services.gateway.senders.times import instant


class ShippoOptions(Options, kw_only=True, frozen=True):
    """What may be set of Shippo."""

    proof: Literal["signature", "token"] = "signature"
    """Shippo signs on request only; without that, the address that it is given carries a token."""
    token: Header = "token"
    """Name of the token in the address."""


class _Location(Struct):
    city: Optional[str] = None


class _Substatus(Struct):
    code: Optional[str] = None


class _Status(Struct):
    status: str
    status_date: Optional[str] = None
    substatus: Optional[_Substatus] = None
    location: Optional[_Location] = None


class _Track(Struct):
    carrier: str
    tracking_number: str
    tracking_status: Optional[_Status] = None
    tracking_history: Optional[list[_Status]] = None


class _Message(Struct):
    event: str
    data: msgspec.Raw


_MESSAGE = msgspec.json.Decoder(_Message)
_TRACK = msgspec.json.Decoder(_Track)


class Shippo(Adapter[ShippoOptions]):
    """Signs its time and the body: `Shippo-Auth-Signature: t=<unix>,v1=<hex>`."""

    kind: ClassVar[str] = "shippo"
    options_type: ClassVar[type[Options]] = ShippoOptions

    def verify(self, delivery: Delivery) -> None:
        """Compare the signature of time and body, or the token in the address."""
        if self.options.proof == "token":
            prove([delivery.query.get(self.options.token, "")], self.secrets)
            return
        parts = [part.strip().partition("=") for part in delivery.headers.get("shippo-auth-signature", "").split(",")]
        signed = "".join(value for name, _, value in parts if name == "t")
        content = signed.encode("utf-8", "surrogatepass") + b"." + delivery.body
        signatures = [signature(key.encode(), content).hex() for key in self.secrets]
        prove([value for name, _, value in parts if name == "v1"], signatures)
        check_age(unix(signed, SECOND), delivery, self.options.tolerance)

    def read(self, body: bytes) -> Iterator[Said]:
        """Give the history and the newest status, which is mostly its last entry."""
        message = decode(body, _MESSAGE)
        if message.event != "track_updated":
            yield None
            return
        track = decode(bytes(message.data), _TRACK)
        carrier = self.carrier(track.carrier, "carrier")
        number = plain.waybill(track.tracking_number, "tracking_number")
        for status in [*(track.tracking_history or []), *([track.tracking_status] if track.tracking_status else [])]:
            if status.status_date is None:
                yield None
                continue
            yield Scan(
                carrier,
                number,
                ((status.substatus and status.substatus.code) or status.status,),
                instant(status.status_date, "status_date"),
                plain.place((status.location or _Location()).city),
            )
