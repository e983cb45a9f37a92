"""The invented shop: its regions, hubs, warehouses, carriers, and how orders spread over the week and the day. Data."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Optional

from schemas.fields import DAY, HOUR, SECOND, Micros, parse_time

START: Micros = parse_time("2025-06-01T00:00:00Z")
"""The first day of every simulation; fixed, so that a seed says everything."""

REGIONS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
"""Around a ring: neighbours are next to each other, the farthest regions four apart."""

_HUB_CODES = ("NTH", "NEA", "EST", "SEA", "STH", "SWE", "WST", "NWE")
HUBS = {region: (f"{code}-1", f"{code}-2") for region, code in zip(REGIONS, _HUB_CODES, strict=True)}
"""Each region's gateway, and the hub behind it."""


@dataclass(frozen=True)
class Warehouse:
    """One warehouse.

    Attributes:
        share: of all orders.
        pack_minutes: median from picked to packed.
        pack_spread: sigma of the lognormal around it.
    """

    name: str
    region: str
    share: float
    currency: str
    pack_minutes: float = 8.0
    pack_spread: float = 0.55


WAREHOUSES = (
    Warehouse("WH-NORTH", "north", 0.30, "GBP"),
    Warehouse("WH-EAST", "east", 0.20, "EUR"),
    # The slow packing station.
    Warehouse("WH-SOUTH", "south", 0.20, "EUR", pack_minutes=17.0, pack_spread=0.60),
    Warehouse("WH-WEST", "west", 0.18, "EUR"),
    Warehouse("WH-SOUTHWEST", "southwest", 0.12, "EUR", pack_minutes=10.0),
)


@dataclass(frozen=True)
class Carrier:
    """One carrier and its habits; probabilities are per parcel, or per scan where said so.

    Attributes:
        share: weight among the carriers that serve a lane.
        days: promised days to a near region; far regions get one more.
        promise_hour: of the promised day; more than 24 is the night after it.
        pace: factor on the time between and inside hubs.
        scan_minutes: median from labeled to carrier_scanned.
        misses: a scan is never made, per scan.
        transit: in_transit is sent live, per hub passed.
        live_hubs: hub_in and hub_out are sent live as well as nightly.
        names_hub: live in_transit events name the hub.
        trouble: an exception on the way.
        attempt_fails: nobody takes the parcel, per attempt.
        stalls: out for delivery, and nothing more heard that day, per attempt.
        tick: resolution of its clock in microseconds.
        zone: how its times are written: hours and minutes east of UTC.
        echoes: its events repeat the customer and the warehouse.
        serves: the only regions it serves, if not all.
        slow_lanes: lanes that always take one to three days longer.
    """

    name: str
    prefix: str
    share: float
    days: int
    pace: float
    scan_minutes: float
    misses: float
    transit: float
    trouble: float
    attempt_fails: float
    stalls: float
    promise_hour: int = 20
    live_hubs: bool = False
    names_hub: bool = False
    tick: int = SECOND
    zone: tuple[int, int] = (0, 0)
    echoes: bool = False
    serves: Optional[frozenset[str]] = None
    slow_lanes: frozenset[tuple[str, str]] = field(default=frozenset())


CARRIERS = (
    # Fast, dear, good.
    Carrier(
        "northline", "NL", 0.24, 2, 0.65, 40, 0.004, 0.9, 0.02, 0.04, 0.004,
        names_hub=True, tick=1000, echoes=True,
    ),
    # Neither good nor bad; tells every hub live.
    Carrier("parcelway", "PW", 0.22, 3, 1.15, 50, 0.01, 0.1, 0.04, 0.07, 0.01, live_hubs=True),
    # Cheap and slow.
    Carrier("thrift_post", "TP", 0.18, 4, 2.9, 75, 0.03, 0.85, 0.06, 0.10, 0.03, promise_hour=26),
    # Three regions only, and at home there.
    Carrier(
        "shree_anjani", "SA", 0.45, 2, 0.7, 35, 0.006, 0.6, 0.03, 0.05, 0.006,
        live_hubs=True, zone=(5, 30), serves=frozenset({"south", "southwest", "west"}),
    ),
    # Good but on the lanes it never gets right.
    Carrier(
        "crestfreight", "CF", 0.20, 3, 1.0, 55, 0.01, 0.95, 0.04, 0.07, 0.01, names_hub=True,
        slow_lanes=frozenset({("north", "south"), ("north", "southeast"), ("east", "west"), ("west", "northeast")}),
    ),
    # Parcels arrive, but scanners are idle.
    Carrier("quickhop", "QH", 0.16, 2, 0.8, 60, 0.14, 0.8, 0.05, 0.08, 0.02),
)  # fmt: skip

_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 9, 10, 10, 11, 10, 9, 9, 9, 10, 11, 12, 12, 10, 6, 3)
_WEEKDAYS = (11, 10, 10, 10, 11, 9, 8)
_HOURS_SO_FAR = tuple(accumulate(_HOURS))
_SUNDAY = 6
_STORMY = 0.015


def order_times(rng: random.Random, orders: int, days: int) -> list[Micros]:
    """Give the times at which orders are placed, in order: busy by day and in the evening, quiet at the weekend."""
    day_weights = list(accumulate(_WEEKDAYS[(_SUNDAY + day) % 7] for day in range(days)))
    placed_on = rng.choices(range(days), cum_weights=day_weights, k=orders)
    placed_at = rng.choices(range(24), cum_weights=_HOURS_SO_FAR, k=orders)
    return sorted(
        START + day * DAY + hour * HOUR + int(rng.random() * HOUR)
        for day, hour in zip(placed_on, placed_at, strict=True)
    )


def storms(rng: random.Random, days: int) -> frozenset[tuple[str, int]]:
    """Give the regions and days (counted from 1970) of bad weather."""
    first = START // DAY
    return frozenset((region, first + day) for day in range(days) for region in REGIONS if rng.random() < _STORMY)


def distance(origin: str, dest: str) -> int:
    """Give how many regions apart two regions are: 0 to 4.

    >>> distance("north", "northwest"), distance("north", "south")
    (1, 4)
    """
    apart = abs(REGIONS.index(origin) - REGIONS.index(dest))
    return min(apart, len(REGIONS) - apart)


def route(origin: str, dest: str) -> tuple[str, ...]:
    """Give the hubs of a lane in order: gateway, a gateway half way on long lanes, gateway, last hub."""
    if origin == dest:
        return HUBS[origin]
    middle: tuple[str, ...] = ()
    if distance(origin, dest) > 2:
        half = distance(origin, dest) // 2
        (between, *_) = [r for r in REGIONS if distance(origin, r) == half and distance(r, dest) <= 2]
        middle = HUBS[between][:1]
    return (HUBS[origin][0], *middle, *HUBS[dest])


ROUTES = {(origin, dest): route(origin, dest) for origin in REGIONS for dest in REGIONS}


def _served(origin: str, dest: str) -> tuple[Sequence[Carrier], Sequence[float]]:
    served = [c for c in CARRIERS if c.serves is None or {origin, dest} <= c.serves]
    return served, list(accumulate(c.share for c in served))


CARRIERS_OF = {(origin, dest): _served(origin, dest) for origin in REGIONS for dest in REGIONS}
"""Of each lane: the carriers that serve it, and their cumulative shares."""
