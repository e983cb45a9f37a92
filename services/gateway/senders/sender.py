"""What a sender is: something that proves a request came from it, and turns the request's body into events."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from schemas.events import WireEvent
from schemas.fields import Micros


class Delivery(NamedTuple):
    """One request as it came in."""

    headers: Mapping[str, str]
    """Names in lower case."""
    query: Mapping[str, str]
    body: bytes
    """What the sender signed: raw, after the decompression of the transfer."""
    received_ts: Micros


class Forged(Exception):
    """A request that its sender did not prove: the signature or token is missing, wrong or stale.

    The text is one clear sentence, and never repeats a secret or what was sent as proof.
    """


class Unproved(Exception):
    """A request whose proof cannot be checked now, since the sender's keys cannot be had: it should come again."""


class Malformed(Exception):
    """A body that is no payload of its sender; the text names the field and never repeats a value."""


class Successor(NamedTuple):
    """A waybill that goes on under another one.

    Of the same carrier that is the waybill issued anew, and an event. Of another one it is a parcel handed over, of
    whose journey the sender tells on under the first waybill: that stays open.
    """

    carrier: str
    tracking_number: str
    next_carrier: str
    next_tracking_number: str
    ts: Micros | None = None
    """By when it was so; None where nothing tells."""
    order_id: str | None = None
    promise: Micros | None = None


class Parsed(NamedTuple):
    """What a body said."""

    events: list[WireEvent]
    unknown: Counter[str]
    """Codes that the sender's table does not have, made plain and short; each is counted and gives no event."""
    doubtful: Counter[str]
    """Codes whose parts contradict each other; the more trustworthy part gave the event."""
    ignored: int = 0
    """Messages that are known, and tell nothing that a parcel's journey has a stage for."""
    successors: tuple[Successor, ...] = ()
    """Waybills that go on under others, whether or not that is an event."""


class Sender(Protocol):
    """One kind of webhook: who sent it, and what it says. It may be used by several threads."""

    name: str
    """As in `POST /webhooks/{name}`."""

    def verify(self, delivery: Delivery) -> None:
        """Make sure who sent a request, in constant time, before anything of its body is looked into.

        Raises:
            Forged: it is not proved.
            Unproved: it cannot be proved now.
        """

    def parse(self, body: bytes, received_ts: Micros) -> Parsed:
        """Give the events that a body tells; the same body gives the same events, whenever it comes.

        Raises:
            Malformed: the body is no payload of this sender.
        """
