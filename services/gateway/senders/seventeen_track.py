"""17TRACK: the whole history of a number, by the providers that 17TRACK asks."""

import hashlib
from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import Header, Options
from services.gateway.senders.proofs import prove
from services.gateway.senders.sender import Delivery, Malformed
from services.gateway.senders.times import instant


class SeventeenTrackOptions(Options, kw_only=True, frozen=True):
    """What may be set of 17TRACK; `carriers` names its carriers by their numbers."""

    header: Header = "sign"


class _Address(Struct):
    city: Optional[str] = None


class _Event(Struct):
    time_utc: Optional[str] = None
    time_iso: Optional[str] = None
    stage: Optional[str] = None
    sub_status: Optional[str] = None
    address: Optional[_Address] = None


class _Named(Struct):
    key: Optional[int] = None
    name: Optional[str] = None


class _Provider(Struct):
    provider: _Named | None = None
    events: Optional[list[_Event]] = None


class _Tracking(Struct):
    providers: Optional[list[_Provider]] = None


class _Info(Struct):
    tracking: Optional[_Tracking] = None


class _Data(Struct):
    number: str
    carrier: Optional[int] = None
    track_info: Optional[_Info] = None


class _Message(Struct):
    event: str
    data: _Data


_MESSAGE = msgspec.json.Decoder(_Message)


class SeventeenTrack(Adapter[SeventeenTrackOptions]):
    """Signs the body: SHA-256 of it, a slash, and the key behind."""

    kind: ClassVar[str] = "seventeen_track"
    options_type: ClassVar[type[Options]] = SeventeenTrackOptions

    def verify(self, delivery: Delivery) -> None:
        """Compare the signature of the body."""
        signatures = [hashlib.sha256(delivery.body + b"/" + key.encode()).hexdigest() for key in self.secrets]
        prove([delivery.headers.get(self.options.header, "")], signatures)

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each event of each provider."""
        message = decode(body, _MESSAGE)
        if message.event != "TRACKING_UPDATED":
            yield None
            return
        number = plain.waybill(message.data.number, "number")
        info = message.data.track_info
        providers = (info and info.tracking and info.tracking.providers) or []
        # One carrier for all: on its way abroad a parcel changes hands, and keeps the number.
        carrier = self._carrier(message.data.carrier, [each.provider for each in providers if each.provider])
        for provider in providers:
            for event in provider.events or []:
                yield Scan(
                    carrier,
                    number,
                    (event.sub_status or event.stage or "",),
                    instant(event.time_utc or event.time_iso or "", "time_utc and time_iso"),
                    # `location` is the carrier's own text, and may be a person's address.
                    plain.place((event.address or _Address()).city),
                )

    def _carrier(self, number: int | None, providers: list[_Named]) -> str:
        """Give the carrier of that number, as set by hand, or else as its provider is named."""
        if (found := self.options.carriers.get(str(number))) is not None:
            return found
        names = [each.name for each in sorted(providers, key=lambda each: each.key != number) if each.name]
        if not names:
            raise Malformed("carrier is not among the sender's carriers, and no provider has a name")
        return self.carrier(names[0], "provider.name")
