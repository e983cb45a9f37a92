"""ShipEngine (ShipStation API): tracking events, signed with a key of its own, each with the whole history."""

import base64
from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Optional

import msgspec
from msgspec import Meta, Struct

from services.gateway.senders import jwks, plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import ConfigError, Options
from services.gateway.senders.proofs import check_age
from services.gateway.senders.sender import Delivery, Forged, Malformed
from services.gateway.senders.times import instant

TRACKS = frozenset({"API_TRACK", "TRACK_EVENT_V2"})
_PROOF = ("rsa-sha256-key-id", "rsa-sha256-signature", "timestamp")
_UNMAPPED = "CARRIER_STATUS_NOT_MAPPED"


class ShipEngineOptions(Options, kw_only=True, frozen=True):
    """What may be set of ShipEngine."""

    jwks: Annotated[str, Meta(pattern=r"^https://[^\s/]+|^http://127\.0\.0\.1:")] = "https://api.shipengine.com/jwks"
    """Where its public keys are."""


class _Event(Struct):
    occurred_at: str
    status_code: Optional[str] = None
    status_detail_code: Optional[str] = None
    city_locality: Optional[str] = None


class _Track(Struct):
    tracking_number: str
    carrier_code: str
    events: Optional[list[_Event]] = None


class _Message(Struct):
    resource_type: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_MESSAGE = msgspec.json.Decoder(_Message)
_TRACK = msgspec.json.Decoder(_Track)


class ShipEngine(Adapter[ShipEngineOptions]):
    """Signs its time and the body by RSA, and names the key."""

    kind: ClassVar[str] = "shipengine"
    options_type: ClassVar[type[Options]] = ShipEngineOptions

    def __init__(
        self, name: str, secrets: Sequence[str], options: ShipEngineOptions, fetch: jwks.Fetch = jwks.fetch
    ) -> None:
        """Take the name in the address, what is set, and what fetches the keys; there is no secret."""
        super().__init__(name, secrets, options)
        self.keys = jwks.KeySet(options.jwks, fetch)

    def check(self, secrets: Sequence[str]) -> tuple[str, ...]:
        """Make sure that there is no secret: whoever sets one believes that it proves something."""
        if secrets:
            raise ConfigError("ShipEngine signs with a key of its own; it has no secret.")
        return ()

    def verify(self, delivery: Delivery) -> None:
        """Check the signature of time and body by the key that is named."""
        proof = {name: delivery.headers.get(f"x-shipengine-{name}", "") for name in _PROOF}
        if not all(proof.values()):
            raise Forged("The proof of the sender is missing.")
        key_id, written, timestamp = proof.values()
        try:
            check_age(instant(timestamp, "the time of the proof"), delivery, self.options.tolerance)
            signature = base64.b64decode(written, validate=True)
        except (Malformed, ValueError) as fault:
            raise Forged("The proof of the sender is unreadable.") from fault
        signed = timestamp.encode() + b"." + delivery.body
        # One signature is written in one way only: base64 itself passes over the last bits.
        plain_form = base64.b64encode(signature).decode() == written
        if not (plain_form and self.keys.verifies(key_id, signature, signed, delivery.received_ts)):
            raise Forged("The proof of the sender is wrong.")

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each event."""
        message = decode(body, _MESSAGE)
        if message.resource_type not in TRACKS:
            yield None
            return
        track = decode(bytes(message.data), _TRACK)
        carrier = self.carrier(track.carrier_code, "carrier_code")
        number = plain.waybill(track.tracking_number, "tracking_number")
        for event in track.events or []:
            detail = event.status_detail_code if event.status_detail_code != _UNMAPPED else None
            yield Scan(
                carrier,
                number,
                (detail or event.status_code or "",),
                instant(event.occurred_at, "occurred_at"),
                plain.place(event.city_locality),
            )
