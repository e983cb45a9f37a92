"""News: the milestones of a parcel that people are told of, each once by each channel.

What is told is a function of what is known of the parcel; whether it is still worth telling, of what was told before.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

from msgspec import Struct

from schemas.fields import Micros, to_text
from schemas.stages import RANK, TROUBLE_STAGES

PENDING, SENDING, SENT, FAILED, DEAD, STALE = "pending", "sending", "sent", "failed", "dead", "stale"

STAGE_OF = {
    "shipped": "carrier_scanned",
    "exception": "exception",
    "out_for_delivery": "out_for_delivery",
    "attempt_failed": "attempt_failed",
    "delivered": "delivered",
}
"""The milestones that are news, in the order of their stages' ranks, and the stage that each of them is."""


class Known(NamedTuple):
    """What is known of a parcel, as far as news need it."""

    order_id: str
    tracking_number: str
    customer_id: Optional[str]
    carrier: Optional[str]
    promised_delivery_ts: Optional[Micros]
    carrier_scanned_at: Optional[Micros]
    exception_at: Optional[Micros]
    exception_reason: Optional[str]
    out_for_delivery_at: Optional[Micros]
    attempt_failed_at: Optional[Micros]
    attempt_failed_reason: Optional[str]
    first_delivered_at: Optional[Micros]
    delivered_at: Optional[Micros]


class Told(NamedTuple):
    """A milestone that a channel has in its outbox."""

    order_id: str
    tracking_number: str
    channel: str
    milestone: str
    happened_at: Micros
    state: str


class Note(Struct):
    """A row for the outbox."""

    order_id: str
    tracking_number: str
    milestone: str
    channel: str
    happened_at: Micros
    state: str
    payload: dict[str, Any]


def news(parcel: Known, channels: Iterable[str], told: Sequence[Told], since: Micros = 0) -> list[Note]:
    """Give the rows that the outbox lacks: one for each milestone and channel, those not worth telling `stale`.

    Args:
        parcel: what is known of it.
        channels: whom to tell.
        told: the rows of this parcel that the outbox has.
        since: what happened before that time is no news any more.
    """
    notes = []
    for channel in channels:
        before = [one for one in told if one.channel == channel]
        has = {one.milestone for one in before}
        for milestone, happened_at, reason in _milestones(parcel):
            if milestone not in has:
                late = happened_at < since or overtaken(milestone, happened_at, before)
                # Delivered to the sender: the customer got nothing.
                returned = milestone == "delivered" and parcel.delivered_at is None
                state = STALE if late or returned else PENDING
                said = _payload(parcel, milestone, happened_at, reason)
                notes.append(
                    Note(parcel.order_id, parcel.tracking_number, milestone, channel, happened_at, state, said)
                )
    return notes


def overtaken(milestone: str, happened_at: Micros, told: Iterable[Told]) -> bool:
    """Tell whether a milestone is no news any more: what was told of the parcel is further along.

    Trouble is news as long as the parcel is not delivered, unless it lies before what was told.
    """
    rank, trouble = RANK[STAGE_OF[milestone]], milestone in TROUBLE_STAGES
    return any(
        RANK[STAGE_OF[one.milestone]] > rank
        and (not trouble or one.milestone == "delivered" or happened_at <= one.happened_at)
        for one in told
        if one.state != STALE
    )


def withdrawn(parcel: Known) -> bool:
    """Tell whether a delivery that may have been noted turns out to be the return leg's."""
    return parcel.first_delivered_at is not None and parcel.delivered_at is None


def idempotency_key(order_id: str, tracking_number: str, milestone: str, channel: str) -> str:
    """Give the identity of a message: the same whenever, and by whomever, it is sent."""
    text = "\x1f".join((order_id, tracking_number, milestone, channel))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _milestones(parcel: Known) -> list[tuple[str, Micros, str | None]]:
    found = (
        ("shipped", parcel.carrier_scanned_at, None),
        ("exception", parcel.exception_at, parcel.exception_reason),
        ("out_for_delivery", parcel.out_for_delivery_at, None),
        ("attempt_failed", parcel.attempt_failed_at, parcel.attempt_failed_reason),
        ("delivered", parcel.first_delivered_at, None),
    )
    return [(name, ts, reason) for name, ts, reason in found if ts is not None]


def _payload(parcel: Known, milestone: str, happened_at: Micros, reason: str | None) -> dict[str, Any]:
    promise = parcel.promised_delivery_ts
    said = {
        "milestone": milestone,
        "order_id": parcel.order_id,
        "tracking_number": parcel.tracking_number,
        "happened_at": to_text(happened_at),
        "reason": reason or None,
        "customer_id": parcel.customer_id,
        "carrier": parcel.carrier,
        "promised_delivery_ts": None if promise is None else to_text(promise),
    }
    return {name: value for name, value in said.items() if value is not None}
