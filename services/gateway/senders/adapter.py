"""What all senders share: entries of a payload become events by the sender's table."""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, NamedTuple, TypeVar

import msgspec

from schemas.events import WireEvent
from schemas.fields import Micros, to_datetime
from services.gateway.senders import plain
from services.gateway.senders.options import Options, check_secrets
from services.gateway.senders.sender import Delivery, Malformed, Parsed, Successor
from services.gateway.senders.tables import Table, on_return, read_table

Chosen = TypeVar("Chosen", bound=Options)
Payload = TypeVar("Payload")


class Scan(NamedTuple):
    """One entry of a payload, in its sender's words."""

    carrier: str | None
    """Milepost's name of it; None where the order says whose the waybill is."""
    tracking_number: str
    code: tuple[str, ...]
    ts: Micros
    place: str | None = None
    order_id: str | None = None
    promise: Micros | None = None
    returning: bool = False
    """The parcel is on its way to the shop, not to the customer."""
    doubtful: bool = False
    """The parts of the code contradict each other."""


REISSUED = "carrier_reissued"
"""Why a waybill is cancelled that goes on under another one."""

Said = Scan | Successor | None
"""What an entry says; None is one that is known and tells nothing."""


class Adapter(ABC, Generic[Chosen]):
    """A sender whose payloads are entries with codes.

    Attributes:
        kind: names the table, and the events that are made.
        options_type: what may be set.
    """

    kind: ClassVar[str]
    options_type: ClassVar[type[Options]] = Options

    def __init__(self, name: str, secrets: Sequence[str], options: Chosen) -> None:
        """Take the name in the address, the secrets in use, and what is set.

        Raises:
            ConfigError: it cannot be set up so.
        """
        self.name = name
        self.options = options
        self.secrets = self.check(secrets)
        self.table = self.read_table()

    @abstractmethod
    def verify(self, delivery: Delivery) -> None:
        """Make sure who sent a request."""

    @abstractmethod
    def read(self, body: bytes) -> Iterable[Said]:
        """Give what a body says, entry by entry, in the sender's words.

        Raises:
            Malformed: the body is no payload of this sender.
        """

    def check(self, secrets: Sequence[str]) -> tuple[str, ...]:
        """Make sure that the secrets can be used."""
        return check_secrets(secrets)

    def read_table(self) -> Table:
        """Give what the codes mean."""
        return read_table(self.kind)

    def parse(self, body: bytes, received_ts: Micros) -> Parsed:
        """Give the events that a body tells, each once."""
        events: dict[str, WireEvent] = {}
        unknown: Counter[str] = Counter()
        doubtful: Counter[str] = Counter()
        successors: dict[tuple[str, ...], Successor] = {}
        ignored = 0
        for said in self.read(body):
            if isinstance(said, Successor):
                known = successors.setdefault(said[:4], said)
                # What several entries say has been so since the newest of them at the latest. When more entries come it
                # is told anew, as of later: the first time counts.
                successors[said[:4]] = max(known, said, key=lambda one: one.ts or 0)
            elif said is None:
                ignored += 1
            elif (meanings := self.table.meanings(said.code)) is None:
                unknown[plain.code(said.code)] += 1
            else:
                doubtful.update([plain.code(said.code)] if said.doubtful else [])
                meanings = on_return(meanings) if said.returning else meanings
                ignored += not meanings
                for stage, reason in meanings:
                    made = self._event(said, stage or "", reason, received_ts)
                    events.setdefault(made.event_id, made)
        told = tuple(successors.values())
        reissues = (self._reissued(one, received_ts) for one in told if one.carrier == one.next_carrier)
        events |= {event.event_id: event for event in reissues if event is not None}
        return Parsed(list(events.values()), unknown, doubtful, ignored, told)

    def carrier(self, written: str, field: str, *, with_service: bool = False) -> str:
        """Give Milepost's name of a carrier.

        Raises:
            Malformed: what is written is no name.
        """
        found = plain.carrier_id(written, self.options.carriers, with_service=with_service)
        if found is None:
            raise Malformed(f"{field} is no carrier's name")
        return found

    def order(self, written: str | int | None, field: str) -> str | None:
        """Give the order that the sender's reference names, if it is the shop's."""
        return plain.order(written, field) if self.options.order_reference else None

    def _reissued(self, said: Successor, received_ts: Micros) -> WireEvent | None:
        if said.ts is None:
            return None
        code = (REISSUED, said.next_tracking_number)
        scan = Scan(said.carrier, said.tracking_number, code, said.ts, None, said.order_id, said.promise)
        event = self._event(scan, "cancelled", REISSUED, received_ts)
        event.successor = said.next_tracking_number
        return event

    def _event(self, scan: Scan, stage: str, reason: str | None, received_ts: Micros) -> WireEvent:
        said = (scan.carrier or "", scan.tracking_number, *scan.code, str(scan.ts), scan.place or "", stage)
        content = hashlib.blake2b(msgspec.msgpack.encode(said), digest_size=16).hexdigest()
        return WireEvent(
            event_id=f"{self.kind}-{content}",
            stage=stage,
            tracking_number=scan.tracking_number,
            event_ts=to_datetime(scan.ts),
            order_id=scan.order_id,
            carrier=scan.carrier,
            promised_delivery_ts=None if scan.promise is None else to_datetime(scan.promise),
            reason=reason,
            hub=scan.place,
            received_ts=to_datetime(received_ts),
        )


def decode(body: bytes, decoder: msgspec.json.Decoder[Payload]) -> Payload:
    """Decode a body into the shape that its sender documents; keys that are not known are passed over.

    Raises:
        Malformed: it is no JSON, or has another shape.
    """
    try:
        return decoder.decode(body)
    except RecursionError as fault:
        raise Malformed("The body is nested too deep.") from fault
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        # msgspec names the field and the kinds, and repeats no value; a broken byte is told by its place.
        told = f"byte {fault.start} is no UTF-8" if isinstance(fault, UnicodeDecodeError) else str(fault)
        raise Malformed(f"The body cannot be read: {told}.") from fault
