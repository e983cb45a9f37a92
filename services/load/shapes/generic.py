"""A sender by configuration alone: its body is made by the same file that says where things are in it."""

import base64
import hashlib
import hmac
import zoneinfo
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.fields import SECOND, Micros, to_datetime, to_text
from schemas.profile_faults import ISO
from schemas.profiles import ANY
from services.gateway.senders.generic import GenericOptions
from services.gateway.senders.options import read_options
from services.load.parcels import Parcel, Request
from services.relay.channels.signing import key

_WANTED = (
    ("carrier_scanned",),
    ("hub_in",),
    ("hub_out",),
    ("out_for_delivery",),
    ("delivered",),
)
"""The stages of a journey; where the sender has no code for one, it tells another one that moves nothing."""
_ELSE = "in_transit"


def generic(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give what a sender that its file describes would push."""
    said = read_options(dict(options), GenericOptions)
    entry: dict[str, Any] = {}
    fields = said.fields
    _put(entry, fields.tracking_number, parcel.tracking_number)
    for path, part in zip(fields.code, _code(said, step).split("/"), strict=False):
        _put(entry, path, "x" if part == ANY else part)
    _put(entry, fields.time, _written(said, parcel.at(step)))
    _put(entry, fields.order_id, f"SO-{parcel.tracking_number}")
    _put(entry, fields.carrier, "load")
    _put(entry, fields.place, "Hub 1")
    body: Any = entry
    if fields.entries:
        body = {}
        _put(body, fields.entries, [entry])
    raw = msgspec.json.encode(body)
    return Request(raw, {"content-type": "application/json", **_proof(said, secret, raw, parcel, step, now)})


def _code(said: GenericOptions, step: int) -> str:
    codes = {group.stage: group.codes[0] for group in reversed(said.codes) if group.reason is None}
    first = said.codes[0].codes[0]
    return next((codes[stage] for stage in (*_WANTED[step], _ELSE) if stage in codes), first)


def _put(entry: dict[str, Any], path: str, value: object) -> None:
    """Put something at a path of names; nothing where there is no path."""
    *way, last = path.split(".")
    for name in way:
        entry = entry.setdefault(name, {})
    if last:
        entry[last] = value


def _written(said: GenericOptions, ts: Micros) -> str | int:
    if said.time == "unix":
        return ts // SECOND
    if said.time == "unix_ms":
        return ts * 1_000 // SECOND
    if said.time == ISO:
        return to_text(ts)
    return to_datetime(ts).astimezone(zoneinfo.ZoneInfo(said.zone)).strftime(said.time)


def _proof(said: GenericOptions, secret: str, body: bytes, parcel: Parcel, step: int, now: Micros) -> dict[str, str]:
    parts = {"id": f"load_{parcel.tracking_number}_{step}", "timestamp": _signed_at(said, now)}
    signed = said.signed.split(".")[:-1]
    content = b".".join((*(parts[part].encode() for part in signed), body))

    digest = hmac.new(key(secret), content, getattr(hashlib, said.algorithm)).digest()
    written = digest.hex() if said.encoding == "hex" else base64.b64encode(digest).decode()
    headers = {said.header: said.prefix + written}
    for name, part in ((said.id_header, "id"), (said.timestamp_header, "timestamp")):
        if name:
            headers[name] = parts[part]
    return headers


def _signed_at(said: GenericOptions, now: Micros) -> str:
    if said.timestamp == "iso":
        return to_text(now)
    return str(now // SECOND if said.timestamp == "unix" else now * 1_000 // SECOND)
