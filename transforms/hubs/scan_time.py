"""Read the times of scans by a profile's formats and zone: whole columns at a time, exact or not at all."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from schemas.profile_faults import DIRECTIVES, ISO
from schemas.profiles import Zone

UTC = pa.timestamp("us", tz="UTC")
LOCAL = pa.timestamp("us")

_DAY = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_ISO = re.compile(_DAY + r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?")
_RFC3339 = re.compile(_ISO.pattern + r"(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_OFFSET = re.compile(r"([+-]?)(\d{1,2})[:.]?(\d{2})")
_WIDTH = {"Y": 4, "b": 3}


def read_instants(text: pa.Array) -> pa.Array:
    """Read RFC 3339 times with their own offsets; null where a text is none."""
    return _cast(text, UTC, _RFC3339)


def read_local(text: pa.Array, formats: list[str]) -> pa.Array:
    """Read local times by the first format that fits; null where none does."""
    found = pa.nulls(len(text), LOCAL)
    for written in formats:
        found = pc.coalesce(found, _cast(text, LOCAL, _ISO) if written == ISO else _strptime(text, written))
        if not found.null_count:
            break
    return found


def to_utc(local: pa.Array, zone: Zone, told: pa.Array | None, hub: pa.Array) -> pa.Array:
    """Turn local times into instants; null where the row's zone is not known.

    A time that occurs twice is its first occurrence; one that the clocks skip is the first moment after the gap.

    Args:
        local: times without a zone.
        zone: how the zone is known.
        told: what the column of offsets says, if there is one.
        hub: the hubs.
    """
    if zone.fixed is not None:
        return _in_zone(local, zone.fixed)
    keys = (hub if told is None else told).dictionary_encode()
    resolved = [_zone_of(key or "", zone) for key in keys.dictionary.to_pylist()]
    seconds = pa.array([each if isinstance(each, int) else None for each in resolved], pa.int64())
    offsets = pc.multiply(pc.take(seconds, keys.indices), 1_000_000)
    found = pc.subtract(local.cast(pa.int64()), offsets).cast(UTC)
    for name in sorted({each for each in resolved if isinstance(each, str)}):
        there = pc.take(pa.array([each == name for each in resolved], pa.bool_()), keys.indices)
        found = pc.if_else(there, _in_zone(pc.if_else(there, local, None), name), found)
    return found


def _zone_of(key: str, zone: Zone) -> int | str | None:
    """Give an offset in seconds, or the name of an IANA zone."""
    if zone.column is None:
        fitting = [prefix for prefix in zone.hubs if key.startswith(prefix)]
        return zone.hubs[max(fitting, key=len)] if fitting else zone.default
    key = key.strip()
    if key in zone.names:
        return zone.names[key]
    if key in ("Z", "UTC"):
        return 0
    match = _OFFSET.fullmatch(key)
    if match is None or int(match[3]) > 59 or int(match[2]) > 14:
        return None
    return (-1 if match[1] == "-" else 1) * (int(match[2]) * 3600 + int(match[3]) * 60)


def _in_zone(local: pa.Array, name: str) -> pa.Array:
    return pc.assume_timezone(local, name, ambiguous="earliest", nonexistent="latest").cast(UTC)


def _cast(text: pa.Array, kind: pa.DataType, shape: re.Pattern[str]) -> pa.Array:
    fitting = pc.if_else(pc.match_substring_regex(text, f"^(?:{shape.pattern})$"), text, None)
    try:
        return fitting.cast(kind)
    except pa.ArrowInvalid:
        # Of the right shape, but there is no such day or offset: one at a time, since a cast is all or nothing.
        return pa.array([_one(value, kind) for value in fitting], kind)


def _one(value: pa.Scalar, kind: pa.DataType) -> pa.Scalar:
    try:
        return value.cast(kind)
    except pa.ArrowInvalid:
        return pa.scalar(None, kind)


def _strptime(text: pa.Array, written: str) -> pa.Array:
    # Lengths are checked first: strptime itself reads 230 as 23:00 and 31 February as 3 March.
    pattern = re.sub("%(.)", lambda found: DIRECTIVES[found[1]], re.sub(r"([^\w%\s])", r"\\\1", written))
    pattern = pattern.replace(r"\d", "[0-9]")
    shaped = pc.if_else(pc.match_substring_regex(text, f"^(?:{pattern})$"), text, None)
    found = pc.strptime(shaped, format=written, unit="us", error_is_null=True)
    before = re.sub("%(.)", lambda each: "x" * _WIDTH.get(each[1], 2), written.partition("%d")[0])
    day = pc.utf8_slice_codeunits(shaped, len(before), len(before) + 2).cast(pa.int64())
    return pc.if_else(pc.equal(pc.day(found), day), found, None)
