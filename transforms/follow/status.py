"""How a parcel stands: the row of it that operations see, as a pure function of its journey.

Two rows of one parcel, each from some of its events, merge into the row of all of them: every group of columns has
an order, and the first or the last in it stays. So a row is the same whatever is told first, again, or by a tracker
that forgot what came before.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.fields import Micros
from schemas.rows import Status
from schemas.stages import RANK
from transforms.follow.journey import ATTRIBUTES, Journey, Moment, current_stage


class Group(NamedTuple):
    """Columns that go together: of two rows the one that comes first by them stays, or the last one.

    Either all of them are known or the first one is None.
    """

    columns: tuple[str, ...]
    last: bool = False


GROUPS: tuple[Group, ...] = (
    Group(("current_rank", "current_stage"), last=True),
    Group(("customer_by", "customer_id")),
    Group(("warehouse_by", "warehouse_id")),
    Group(("carrier_by", "carrier")),
    Group(("promised_by", "promised_delivery_ts")),
    Group(("latest_promised_by", "latest_promised_delivery_ts"), last=True),
    Group(("exception_at", "exception_reason")),
    Group(("attempt_failed_at", "attempt_failed_reason")),
    *(
        Group((f"{name}_at",))
        for name in (
            "picked", "packed", "labeled", "carrier_scanned", "out_for_delivery", "available_for_pickup",
            "first_delivered", "first_returned", "closed",
        )
    ),
)  # fmt: skip
"""All columns but the key, which is the order and the waybill."""

_PLACE = {name: place for place, name in enumerate(ATTRIBUTES)}
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Status])


def status(journey: Journey) -> Status:
    """Give how a parcel stands."""
    first, stage = journey.first, current_stage(journey)
    exception_at, exception_reason = _trouble(journey, "exception")
    attempt_failed_at, attempt_failed_reason = _trouble(journey, "attempt_failed")
    return Status(
        journey.order_id,
        journey.tracking_number,
        stage,
        RANK[stage],
        journey.customer_id,
        _by(journey.sources[_PLACE["customer_id"]]),
        journey.warehouse_id,
        _by(journey.sources[_PLACE["warehouse_id"]]),
        journey.carrier,
        _by(journey.sources[_PLACE["carrier"]]),
        journey.promised_delivery_ts,
        _by(journey.sources[_PLACE["promised_delivery_ts"]]),
        journey.latest_promise,
        _by(journey.latest_source),
        first.get("picked"),
        first.get("packed"),
        first.get("labeled"),
        first.get("carrier_scanned"),
        exception_at,
        exception_reason,
        first.get("out_for_delivery"),
        attempt_failed_at,
        attempt_failed_reason,
        first.get("available_for_pickup"),
        first.get("delivered"),
        min((first[name] for name in ("return_started", "returned") if name in first), default=None),
        journey.closed_ts,
    )


def digest(row: Status) -> int:
    """Give a number that tells a row from any other; the same in every process."""
    return int.from_bytes(hashlib.blake2b(_ENCODER.encode(row), digest_size=7).digest(), "big")


def merge(rows: Iterable[Status]) -> list[Status]:
    """Merge rows, so that each parcel has one; in the order of their keys."""
    merged: dict[tuple[str, str], Status] = {}
    for row in rows:
        key = row.order_id, row.tracking_number
        merged[key] = _merge(merged[key], row) if key in merged else row
    return [merged[key] for key in sorted(merged)]


def pack_statuses(rows: list[Status]) -> bytes:
    """Pack rows for the way."""
    return _ENCODER.encode(rows)


def unpack_statuses(packed: bytes) -> list[Status]:
    """Unpack what `pack_statuses` packed."""
    return _DECODER.decode(packed)


def _merge(one: Status, other: Status) -> Status:
    changes: dict[str, Any] = {}
    for columns, last in GROUPS:
        mine, theirs = ([getattr(row, name) for name in columns] for row in (one, other))
        if theirs[0] is not None and (mine[0] is None or (theirs > mine if last else theirs < mine)):
            changes.update(zip(columns, theirs, strict=True))
    return msgspec.structs.replace(one, **changes) if changes else one


def _by(source: Moment | None) -> str | None:
    """Give an event's place in the parcel's life as text that sorts as it does; no event is older than 1970."""
    return None if source is None else f"{source[0]:017d} {source[1]}"


def _trouble(journey: Journey, stage: str) -> tuple[Micros | None, str | None]:
    if stage not in journey.first:
        return None, None
    ts, _, reason = min(trouble for trouble in journey.troubles if trouble[1] == stage)
    return ts, reason
