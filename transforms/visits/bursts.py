"""Bursts of scans: how scans of one parcel become visits, and visits become longer visits. Pure functions.

A visit ends when the parcel has been silent for the session gap. Visits that overlap when each is stretched by the gap
are one: so any way of cutting the scans into pieces, merged in any order, gives the same visits.
"""

import hashlib
from collections.abc import Iterable

from schemas.fields import Micros
from schemas.rows import Visit
from schemas.stages import CLOSING_STAGES
from transforms.follow.journey import Scan

VALUABLE = "valuable"
"""In place of the id that a piece does not have yet: it is of a parcel whose silence is watched."""


def bursts(order_id: str, tracking_number: str, scans: Iterable[Scan], gap: int) -> list[Visit]:
    """Cut the scans of one parcel into visits.

    Args:
        order_id: of the parcel.
        tracking_number: of the parcel.
        scans: in any order.
        gap: microseconds of silence that end a visit.
    """
    pieces = (
        Visit(
            "",
            order_id,
            tracking_number,
            scan.ts,
            scan.ts,
            1,
            [scan.hub] if scan.hub else [],
            scan.ts if scan.stage in CLOSING_STAGES else None,
            False,
        )
        for scan in scans
    )
    return join(pieces, gap)


def closing_notice(order_id: str, tracking_number: str, closed_ts: Micros) -> Visit:
    """Make the piece of no scans that only says when nobody waits for the parcel any more."""
    return Visit("", order_id, tracking_number, closed_ts, closed_ts, 0, [], closed_ts, False)


def join(pieces: Iterable[Visit], gap: int) -> list[Visit]:
    """Join the pieces of one parcel's visits into whole visits, in order of time."""
    joined: list[Visit] = []
    for piece in sorted(pieces, key=_start):
        if joined and piece.start_ts < joined[-1].end_ts + gap:
            joined[-1] = merge(joined[-1], piece)
        else:
            joined.append(piece)
    return joined


def merge(one: Visit, other: Visit) -> Visit:
    """Make one visit of two pieces of it."""
    ended = [visit.ended_ts for visit in (one, other) if visit.ended_ts is not None]
    return Visit(
        "",
        one.order_id,
        one.tracking_number,
        min(one.start_ts, other.start_ts),
        max(one.end_ts, other.end_ts),
        one.events + other.events,
        sorted({*one.hubs, *other.hubs}),
        min(ended, default=None),
        False,
    )


def visit_id(visit: Visit) -> str:
    """Give the stable identity of a visit: its parcel and its first scan."""
    text = f"{visit.order_id}\x1f{visit.tracking_number}\x1f{visit.start_ts}"
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _start(visit: Visit) -> Micros:
    return visit.start_ts
