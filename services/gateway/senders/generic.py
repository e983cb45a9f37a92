"""Any sender that signs by HMAC: its signature, its fields and its codes are all configuration."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Optional

import msgspec
from msgspec import Meta, Struct

from schemas.fields import SECOND, Micros
from schemas.profile_faults import ISO, format_fault, is_zone
from schemas.profiles import CodeGroup, Text
from services.gateway.senders import plain
from services.gateway.senders.adapter import Adapter, Said, Scan, decode
from services.gateway.senders.options import CarrierId, ConfigError, Header, Options
from services.gateway.senders.proofs import check_age, prove, signature, unix
from services.gateway.senders.sender import Delivery, Forged, Malformed, Successor
from services.gateway.senders.tables import Table, parse_table
from services.gateway.senders.times import bounded, instant, local, promised
from services.relay.channels.signing import key

_UNITS = {"unix": SECOND, "unix_ms": SECOND // 1000}


class Fields(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Where in the body each thing is: names joined by dots. What an entry does not have, the whole body may have."""

    tracking_number: Text
    code: Annotated[list[Text], Meta(min_length=1, max_length=3)]
    time: Text
    entries: str = ""
    """The list of entries; without it the body is one, or a list of them."""
    carrier: str = ""
    place: str = ""
    order_id: str = ""
    promise: str = ""
    successor: str = ""
    """The waybill that goes on for this one."""


class GenericOptions(Options, kw_only=True, frozen=True):
    """All of a sender that is not known by name."""

    header: Header
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """Before each signature, such as `sha256=` or `v1,`."""
    separator: str = ""
    """Between several signatures in one header."""
    signed: Literal["body", "timestamp.body", "id.timestamp.body"] = "body"
    """What is signed, joined by dots; `id.timestamp.body` is that of Standard Webhooks."""
    timestamp_header: Optional[Header] = None
    timestamp: Literal["unix", "unix_ms", "iso"] = "unix"
    id_header: Optional[Header] = None
    fields: Fields
    carrier: Optional[CarrierId] = None
    """Of all events, where no field names it."""
    time: str = ISO
    """How event times are written: `ISO`, `unix`, `unix_ms`, or in the letters of strptime."""
    zone: str = ""
    """IANA zone of times that have none."""
    codes: Annotated[list[CodeGroup], Meta(min_length=1)]
    ignored: list[str] = []


class Generic(Adapter[GenericOptions]):
    """A sender by configuration alone; a secret that begins with `whsec_` goes on as base64."""

    kind: ClassVar[str] = "generic"
    options_type: ClassVar[type[Options]] = GenericOptions

    def __init__(self, name: str, secrets: Sequence[str], options: GenericOptions) -> None:
        """Take the name in the address, the secrets in use, and what is set."""
        for fault in _faults(options):
            raise ConfigError(f"The sender cannot be used: {fault}.")
        super().__init__(name, secrets, options)
        try:
            self.signing_keys = [key(secret) for secret in self.secrets]
        except ValueError as fault:
            raise ConfigError(f"A secret of the sender cannot be used: {fault}.") from fault

    def read_table(self) -> Table:
        """Give what the codes mean."""
        options = self.options
        written = {"key": options.fields.code, "description": "-", "codes": options.codes, "ignored": options.ignored}
        try:
            return parse_table(msgspec.to_builtins(written))
        except ValueError as fault:
            raise ConfigError(f"The sender cannot be used: {fault}.") from fault

    def verify(self, delivery: Delivery) -> None:
        """Compare the signatures in the header with ours."""
        options, headers = self.options, delivery.headers
        written = headers.get(options.header, "")
        given = [
            each.strip().removeprefix(options.prefix)
            for each in (written.split(options.separator) if options.separator else [written])
            if each.strip().startswith(options.prefix)
        ]
        timestamp, identity = headers.get(options.timestamp_header or "", ""), headers.get(options.id_header or "", "")
        parts = {"id": identity, "timestamp": timestamp}
        named = [parts[part].encode("utf-8", "surrogatepass") for part in options.signed.split(".")[:-1]]
        content = b".".join((*named, delivery.body))
        prove(given, [self._encoded(signature(each, content, options.algorithm)) for each in self.signing_keys])
        if named:
            check_age(self._signed_at(timestamp), delivery, options.tolerance)

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each entry."""
        whole = decode(body, _ANYTHING)
        fields = self.options.fields
        for entry in _entries(whole, fields.entries):
            number = plain.waybill(_text(entry, whole, fields.tracking_number), fields.tracking_number)
            carrier = self._carrier(entry, whole)
            order_id = self.order(_optional(entry, whole, fields.order_id), fields.order_id)
            if carrier is None and order_id is None:
                raise Malformed(f"{fields.order_id} is missing, and no carrier is set")
            ts = self._time(_text(entry, whole, fields.time))
            promise = promised(_optional(entry, whole, fields.promise))
            code = tuple(_optional(entry, whole, path) or "" for path in fields.code)
            yield Scan(carrier, number, code, ts, plain.place(_optional(entry, whole, fields.place)), order_id, promise)
            goes_on = _optional(entry, whole, fields.successor)
            if goes_on and carrier and plain.waybill(goes_on, fields.successor) != number:
                goes_on = plain.waybill(goes_on, fields.successor)
                yield Successor(carrier, number, carrier, goes_on, ts, order_id, promise)

    def _encoded(self, digest: bytes) -> str:
        return digest.hex() if self.options.encoding == "hex" else base64.b64encode(digest).decode()

    def _signed_at(self, timestamp: str) -> Micros:
        if self.options.timestamp != "iso":
            return unix(timestamp, _UNITS[self.options.timestamp])
        try:
            return instant(timestamp, "the time of the proof")
        except Malformed as fault:
            raise Forged("The time of the proof is missing or unreadable.") from fault

    def _carrier(self, entry: Any, whole: Any) -> str | None:  # noqa: ANN401
        if self.options.fields.carrier:
            path = self.options.fields.carrier
            return self.carrier(_text(entry, whole, path), path)
        return self.options.carrier

    def _time(self, text: str) -> Micros:
        field, zone = self.options.fields.time, self.options.zone or None
        if self.options.time in _UNITS:
            if not (text.isascii() and text.isdigit() and len(text) <= 14):
                raise Malformed(f"{field} is no time")
            return bounded(int(text) * _UNITS[self.options.time], field)
        if self.options.time == ISO:
            return instant(text, field, zone)
        return local(text, (self.options.time,), zone or "", field)


_ANYTHING = msgspec.json.Decoder(Any)


def _faults(options: GenericOptions) -> Iterator[str]:
    signs = options.signed.split(".")
    if ("timestamp" in signs) != bool(options.timestamp_header):
        yield "timestamp_header must be set if the timestamp is signed, and only then"
    if ("id" in signs) != bool(options.id_header):
        yield "id_header must be set if the id is signed, and only then"
    if options.carrier and options.fields.carrier:
        yield "carrier and fields.carrier exclude each other"
    if not (options.carrier or options.fields.carrier or options.fields.order_id):
        yield "carrier, fields.carrier or fields.order_id must be set: a waybill alone is nobody's"
    if options.zone and not is_zone(options.zone):
        yield f"the zone {options.zone!r} is unknown"
    if options.time not in (*_UNITS, ISO) and (fault := format_fault(options.time)):
        yield f"the time {options.time!r} is bad: {fault}"
    if options.time not in (*_UNITS, ISO) and not options.zone:
        yield "times in a format of their own need a zone"


def _entries(whole: Any, path: str) -> Iterable[Any]:  # noqa: ANN401
    found = _at(whole, path) if path else whole
    if path and not isinstance(found, list):
        raise Malformed(f"{path} is no list")
    return found if isinstance(found, list) else [found]


def _text(entry: Any, whole: Any, path: str) -> str:  # noqa: ANN401
    found = _optional(entry, whole, path)
    if found is None:
        raise Malformed(f"{path} is missing")
    return found


def _optional(entry: Any, whole: Any, path: str) -> str | None:  # noqa: ANN401
    """Give what is at a path, as text."""
    if not path:
        return None
    found = _at(entry, path)
    found = _at(whole, path) if found is None else found
    if found is not None and (isinstance(found, bool) or not isinstance(found, str | int)):
        raise Malformed(f"{path} is neither text nor a whole number")
    return None if found is None else str(found)


def _at(value: Any, path: str) -> Any:  # noqa: ANN401
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
