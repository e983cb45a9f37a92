"""The shop's own events, `POST /events`: one JSON object, an array of them, or one a line.

A body is taken whole or not at all. Were the good events of a body taken and the bad ones told back, a sender that
repeats a body until it gets 2xx would repeat for ever, and one that does not look would lose the bad ones: so a body
with any event that cannot be taken is refused, and the answer names each of them by its index, field and reason.
"""

import datetime

import msgspec
from msgspec import Struct

from schemas.events import WireEvent
from schemas.fields import Micros, to_datetime
from schemas.rejections import Rejected
from services.gateway.config import Limits
from services.gateway.problems import Problem
from transforms.ingest.decode import decode
from transforms.ingest.validate import validate

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/jsonl", "application/json-lines")
NAMED = 100
"""How many bad events one answer names."""

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = WireEvent.__struct_fields__


class Fault(Struct, frozen=True):
    """Why an event of a body cannot be taken."""

    index: int
    reason: str
    detail: str


def read_events(body: bytes, media_type: str, limits: Limits, latest: Micros) -> tuple[list[WireEvent], int]:
    """Read the events of a body, each checked as the graph will check it; give also how many unknown fields they had.

    Args:
        body: after decompression, and not too deep.
        media_type: of the request.
        limits: how many events, and how large.
        latest: no event may lie after it.

    Raises:
        Problem: unknown_media_type, malformed, too_many_events, invalid_events.
    """
    lines = split(body, media_type)
    if len(lines) > limits.events:
        raise Problem("too_many_events", f"At most {limits.events} events are taken at a time.")
    events, faults, unknown = list[WireEvent](), list[Fault](), 0
    for index, line in enumerate(lines):
        try:
            event, more = decode(line, limits.event)
            validate(event, latest)
        except Rejected as fault:
            faults.append(Fault(index, fault.reason, fault.detail))
        else:
            events.append(event)
            unknown += more
    if faults:
        named = faults[:NAMED]
        raise Problem("invalid_events", f"{len(faults)} of {len(lines)} events cannot be taken.", errors=named)
    return events, unknown


def split(body: bytes, media_type: str) -> list[bytes]:
    """Split a body into the JSON of its events.

    Raises:
        Problem: unknown_media_type, malformed.
    """
    kind = media_type.partition(";")[0].strip().lower()
    if kind in NDJSON:
        return [line for line in body.splitlines() if line.strip()]
    if kind != JSON:
        raise Problem("unknown_media_type", f"{JSON} and {NDJSON[0]} are known.")
    if not body.lstrip().startswith(b"["):
        return [body]
    try:
        return [bytes(one) for one in _LIST.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Problem("malformed", "The body is no JSON array.") from fault


def to_line(event: WireEvent, received: datetime.datetime) -> bytes:
    """Give an event as one line of the contract's JSON, with the time it came if it did not say one."""
    if event.received_ts is None:
        event.received_ts = received
    named = {name: value for name in _FIELDS if (value := getattr(event, name)) is not None}
    return msgspec.json.encode(named)


def to_lines(events: list[WireEvent], received_ts: Micros) -> list[bytes]:
    """Give events as lines."""
    received = to_datetime(received_ts)
    return [to_line(event, received) for event in events]
