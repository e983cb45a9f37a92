"""Overstays: a valuable parcel that sat at one hub for too long, as a night's legs show. A pure rule."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.alerts import CLEARED, cleared, overstayed
from schemas.fields import Micros, to_text
from transforms.watch.telling import Life

_FOREVER: Micros = 1 << 62


class Stay(NamedTuple):
    """A parcel's stay at a hub; `out_ts` is None while it is there."""

    hub: str
    in_ts: Micros
    out_ts: Micros | None


def overstays(
    order_id: str,
    tracking_number: str,
    stays: Iterable[Stay],
    closed_ts: Micros | None,
    silences: Iterable[Life],
    longest: int,
) -> list[Life]:
    """Give the lives of a parcel's overstay alerts, whatever the horizon.

    A stay during which the silence of the parcel is told already is none: one trouble is one alert.

    Args:
        order_id: of the parcel.
        tracking_number: of the parcel.
        stays: at hubs.
        closed_ts: when nobody waited for its delivery any more.
        silences: lives of the alerts that its silence raised.
        longest: microseconds that a stay may last.
    """
    told = [(life[0].due_ts, life[-1].state_ts if life[-1].state == CLEARED else _FOREVER) for life in silences]
    lives: list[Life] = []
    for stay in stays:
        due = stay.in_ts + longest
        ended = min(_FOREVER if stay.out_ts is None else stay.out_ts, _FOREVER if closed_ts is None else closed_ts)
        if ended <= due or any(since < ended and due < until for since, until in told):
            continue
        alert = overstayed(order_id, tracking_number, due, f"at hub {stay.hub} since {to_text(stay.in_ts)}")
        by = "left the hub" if ended == stay.out_ts else "closed"
        lives.append((alert,) if ended == _FOREVER else (alert, cleared(alert, ended, by)))
    return lives
