"""Decode one line of JSON into an event as its sender wrote it."""

import re

import msgspec

from schemas.events import StrictWireEvent, WireEvent
from schemas.rejections import Rejected

_STRICT = msgspec.json.Decoder(StrictWireEvent)
_LENIENT = msgspec.json.Decoder(WireEvent)
_FIELDS = frozenset(WireEvent.__struct_fields__)
_FIELD = re.compile(r"`\$\.(\w+)")

# What msgspec says of a value, and our word for it; the first that fits counts.
_FAULTS = (
    ("missing required field", "missing_field"),
    ("timezone component", "naive_timestamp"),
    ("Invalid RFC3339", "invalid_timestamp"),
    ("Expected `object`", "not_an_object"),
    ("Expected `str` of length", "invalid_value"),
    ("Expected `float` >=", "invalid_value"),
    ("out of range", "invalid_value"),
    ("Expected", "wrong_type"),
)


def decode(line: bytes, max_bytes: int) -> tuple[WireEvent, int]:
    """Decode one line; give the event and the number of fields in it that Milepost does not know.

    Args:
        line: one JSON object as UTF-8, without its line end.
        max_bytes: the largest line that is looked into.

    Raises:
        Rejected: the line is no event.
    """
    if len(line) > max_bytes:
        raise Rejected("too_large", f"{len(line)} bytes")
    try:
        return _STRICT.decode(line), 0
    except msgspec.ValidationError as fault:
        if "unknown field" not in str(fault):
            raise _rejected(fault) from fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise _rejected(fault) from fault
    try:
        return _LENIENT.decode(line), len(msgspec.json.decode(line).keys() - _FIELDS)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise _rejected(fault) from fault


def _rejected(fault: Exception) -> Rejected:
    """Name the reason; the detail names the field but never repeats a value, which may be personal."""
    if isinstance(fault, UnicodeDecodeError):
        return Rejected("invalid_utf8", f"byte {fault.start}")
    if isinstance(fault, RecursionError):
        return Rejected("too_deep")
    text = str(fault)
    if not isinstance(fault, msgspec.ValidationError):
        return Rejected("malformed_json", text)
    field = _FIELD.search(text)
    for mark, reason in _FAULTS:
        if mark in text:
            if reason == "not_an_object" and field:
                reason = "wrong_type"
            return Rejected(reason, text)
    return Rejected("invalid_value", field[1] if field else "")
