"""What a customer is told of a parcel: only what is known of it, in plain words, and what is not known as that.

No promise is made here that nobody made, nothing is guessed, and no word of a carrier's or the shop's own is passed on.
"""

import datetime
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from schemas.fields import MINUTE, Micros, to_datetime
from services.desk.rows import Parcel

Clock = Callable[[Micros], str]
"""Gives a time as the shop's customers read it."""

_MILESTONES = (
    ("packed_at", "Packed"),
    ("labeled_at", "Label printed"),
    ("carrier_scanned_at", "Handed to the carrier"),
    ("exception_at", "The carrier reported a problem"),
    ("out_for_delivery_at", "Out for delivery"),
    ("attempt_failed_at", "Delivery tried without success"),
    ("available_for_pickup_at", "Ready to be picked up"),
    ("delivered_at", "Delivered"),
    ("first_returned_at", "Sent back to the shop"),
)
"""In the order of the way, for those that happened at one moment."""

_HEADLINES = {
    "picked": "Being prepared",
    "packed": "Being prepared",
    "labeled": "Waiting for the carrier",
    "exception": "The carrier reported a problem",
    "out_for_delivery": "Out for delivery",
    "attempt_failed": "A delivery was tried without success",
    "available_for_pickup": "Ready to be picked up",
    "cancelled": "Cancelled",
    "failed": "The carrier has given up the delivery",
    "lost": "The carrier has lost the parcel",
    "delivered": "Delivered",
    "return_started": "On the way back to the shop",
    "returned": "Back at the shop",
}

_REASONS = {
    "carrier_damaged_parcel": "the parcel was damaged",
    "carrier_parcel_lost": "the carrier cannot find it",
    "consignee_business_closed": "the business was closed",
    "consignee_incorrect_address": "the address was not right",
    "consignee_not_available": "nobody was there to take it",
    "consignee_not_home": "nobody was at home",
    "consignee_refused": "it was not accepted",
}
_REASON_KINDS = {
    "carrier": "the carrier had trouble on its side",
    "consignee": "it could not be handed over",
    "customs": "customs holds it up",
    "retailer": "the shop had trouble on its side",
    "weather": "the weather holds it up",
}
"""By the first word of a reason: what it says beyond that may be anything, and is not passed on."""


class Milestone(NamedTuple):
    """Something that happened to a parcel."""

    what: str
    at: Micros


class Told(NamedTuple):
    """What a customer is told."""

    headline: str
    promise: str
    notes: list[str]
    milestones: list[Milestone]


def tell_customer(parcel: Parcel, open_alerts: Collection[str], now: Micros, clock: Clock) -> Told:
    """Put in words how a parcel stands.

    Args:
        parcel: what is known of it.
        open_alerts: the kinds of its open alerts.
        now: the time for which this is said.
        clock: how times are written.
    """
    headline = _HEADLINES.get(parcel.current_stage, "On its way")
    awaited = parcel.closed_at is None
    notes = [*_troubles(parcel)] if awaited else []
    if awaited and parcel.available_for_pickup_at is None:
        notes += _silences(parcel, open_alerts, clock)
    return Told(headline, _promise(parcel, open_alerts, now, clock), notes, list(_milestones(parcel, now)))


def reason_words(reason: str | None) -> str:
    """Give a reason in plain words; nothing for one that says nothing.

    >>> reason_words("consignee_not_home"), reason_words("weather_storm"), reason_words("=1+1")
    ('nobody was at home', 'the weather holds it up', '')
    """
    if not reason:
        return ""
    return _REASONS.get(reason) or _REASON_KINDS.get(reason.partition("_")[0], "")


def _promise(parcel: Parcel, open_alerts: Collection[str], now: Micros, clock: Clock) -> str:
    promise, latest = parcel.promised_delivery_ts, parcel.latest_promised_delivery_ts
    if parcel.delivered_at is not None:
        if promise is None:
            return "No delivery time had been promised."
        if parcel.delivered_at <= promise:
            return f"On time: it was promised for {clock(promise)}."
        return f"Late by {_length(parcel.delivered_at - promise)}: it was promised for {clock(promise)}."
    if parcel.closed_at is not None:
        return "It is not on its way to you any more."
    if promise is None:
        return "No delivery time has been promised, and we do not know when it will arrive."
    moved = latest is not None and latest != promise
    newer = f" The newest time that we were given is {clock(latest)}." if latest is not None and moved else ""
    if parcel.available_for_pickup_at is not None:
        return f"It was promised for {clock(promise)}.{newer} It waits for you to pick it up."
    if now > promise:
        unknown = "" if moved and latest is not None and latest > now else " We do not know when it will arrive."
        return f"Late by {_length(now - promise)} so far: it was promised for {clock(promise)}.{newer}{unknown}"
    risk = " It may come later than that." if "sla_at_risk" in open_alerts else ""
    return f"Promised for {clock(promise)}.{newer}{risk}"


def _troubles(parcel: Parcel) -> Iterator[str]:
    """Say why, of troubles that are not overcome: what came after them shows that the parcel goes on."""
    went_on = parcel.out_for_delivery_at
    if parcel.exception_at is not None and (went_on is None or parcel.exception_at > went_on):
        why = reason_words(parcel.exception_reason)
        yield f"The carrier reported a problem: {why}." if why else "The carrier did not tell us what the problem is."
    if parcel.attempt_failed_at is not None and parcel.available_for_pickup_at is None:
        why = reason_words(parcel.attempt_failed_reason)
        yield f"The carrier could not deliver it: {why}." if why else "We do not know why it could not be delivered."
        yield "We do not know yet when the carrier will try again."


def _silences(parcel: Parcel, open_alerts: Collection[str], clock: Clock) -> Iterator[str]:
    if "pick_pack_delay" in open_alerts:
        yield "Packing takes longer than it should."
    if "label_scan_delay" in open_alerts:
        yield "The carrier has not told us yet that it has the parcel."
    if "last_mile_delay" in open_alerts and parcel.out_for_delivery_at is not None:
        yield f"It has been out for delivery since {clock(parcel.out_for_delivery_at)}, and nothing was heard since."
    elif "silent_high_value" in open_alerts:
        yield "Nothing was heard of it for a long time. Somebody looks into it."


def _milestones(parcel: Parcel, now: Micros) -> Iterator[Milestone]:
    """Give what happened, the newest first; what a clock that runs ahead dates in the future has not happened yet."""
    found = [
        (at, place, words)
        for place, (column, words) in enumerate(_MILESTONES)
        if (at := getattr(parcel, column)) is not None and at <= now
    ]
    for at, _, words in sorted(found, reverse=True):
        yield Milestone(words, at)


def _length(length: Micros) -> str:
    """Give a length of time in words, in its two largest units; seconds are nobody's concern who awaits a parcel."""
    minutes = max(1, length // MINUTE)
    units = ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    begin = next(at for at, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in units[begin : begin + 2] if count)


def clock_of(zone: datetime.tzinfo) -> Clock:
    """Give times as a zone has them.

    >>> clock_of(datetime.UTC)(0)
    '1 January 1970, 00:00 UTC'
    """

    def write(at: Micros) -> str:
        local = to_datetime(at).astimezone(zone)
        return f"{local.day} {local:%B %Y, %H:%M %Z}"

    return write
