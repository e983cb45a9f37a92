"""One parcel's life, from the shelf to the door or to wherever it ends: the clean plan, before any noise."""

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple, Optional

from pipelines.simulate.journey import Journey
from pipelines.simulate.lastmile import deliver, send_back
from pipelines.simulate.shop import CARRIERS_OF, REGIONS, ROUTES, WAREHOUSES, distance
from schemas.fields import DAY, HOUR, MINUTE, Micros

OPENS, CLOSES = 6, 22
"""Hours of the warehouses."""

_WAREHOUSE_SHARES = list(accumulate(w.share for w in WAREHOUSES))
_HIGH_VALUE, _LOW_VALUE_CAP = 500.0, 480.0
_LEG_HOURS = 5.0
_HELD = 0.2
"""Share of the parcels of high value that somebody wants to see the papers of."""

ON_THE_WAY = (
    "carrier_damaged_parcel",
    "carrier_sorting_error",
    "carrier_mechanical_delay",
    "carrier_capacity_exceeded",
    "consignee_incorrect_address",
    "customs_delay",
    "retailer_packaging_issue",
    "weather_delay",
)
_ON_THE_WAY_SO_FAR = list(accumulate((20, 18, 14, 10, 16, 6, 6, 10)))


class Fate(NamedTuple):
    """What becomes of a parcel that does not simply arrive, and how often."""

    name: str
    share: float


FATES = (
    Fate("cancelled", 0.012),
    Fate("lost", 0.006),
    Fate("silent", 0.008),
    Fate("failed", 0.008),
    Fate("returned", 0.010),
)
_FATE_NAMES = (*(fate.name for fate in FATES), "arrives")
_FATES_SO_FAR = list(accumulate((*(fate.share for fate in FATES), 1 - sum(fate.share for fate in FATES))))


def order(rng: random.Random, number: int, placed: Micros, stormy: frozenset[tuple[str, int]]) -> Iterator[Journey]:
    """Live the lives of an order's parcels: one, or two to three if the order is split."""
    warehouse = rng.choices(WAREHOUSES, cum_weights=_WAREHOUSE_SHARES)[0]
    dest = rng.choice(REGIONS)
    customer = f"C{int(rng.random() ** 1.3 * 90000) + 10000}"
    parcels = 1 if rng.random() >= 0.06 else 2 if rng.random() < 0.75 else 3
    for parcel in range(parcels):
        served, shares = CARRIERS_OF[warehouse.region, dest]
        carrier = rng.choices(served, cum_weights=shares)[0]
        journey = Journey(rng, f"SO-{1000000 + number}", customer, warehouse, dest, carrier, placed)
        journey.tracking_number = f"{carrier.prefix}{(number * 4 + parcel) * 40503 % 10**10:010d}"
        journey.declared_value = _value(rng)
        if rng.random() >= 0.02:
            days = carrier.days + (distance(warehouse.region, dest) > 2)
            # Orders of the late afternoon count from the next day.
            promised_day = (placed + 8 * HOUR) // DAY + days
            journey.promise = journey.first_promise = promised_day * DAY + carrier.promise_hour * HOUR
        _live(journey, stormy)
        yield journey


def _value(rng: random.Random) -> float:
    if rng.random() < 0.05:
        return round(_HIGH_VALUE + rng.expovariate(1 / 450), 2)
    return round(min(4 + rng.lognormvariate(3.6, 0.8), _LOW_VALUE_CAP), 2)


def _live(journey: Journey, stormy: frozenset[tuple[str, int]]) -> None:
    rng = journey.rng
    fate = rng.choices(_FATE_NAMES, cum_weights=_FATES_SO_FAR)[0]
    ends_at = _cancelled_after(rng) if fate == "cancelled" else None
    if not _prepare(journey, ends_at):
        return
    hubs = ROUTES[journey.warehouse.region, journey.dest]
    stops_at = int(rng.random() * len(hubs)) if fate in ("lost", "silent") or ends_at == "hub" else None
    if not _haul(journey, hubs, stops_at, stormy):
        if fate == "lost":
            journey.tell("lost", 4 * DAY + int(rng.random() * 4 * DAY), reason="carrier_parcel_lost")
        elif fate == "cancelled":
            journey.tell("cancelled", int(rng.random() * 20 * HOUR))
    elif fate == "returned":
        send_back(journey, HOUR + int(rng.random() * 10 * HOUR), "consignee_incorrect_address")
    else:
        deliver(journey, fails=fate == "failed")


def _cancelled_after(rng: random.Random) -> str:
    return rng.choices(("picked", "packed", "labeled", "hub"), cum_weights=(30, 50, 75, 100))[0]


def _prepare(journey: Journey, ends_at: Optional[str]) -> bool:
    """Pick, pack and label; tell whether the parcel goes on."""
    rng, warehouse = journey.rng, journey.warehouse
    journey.now = _in_opening_hours(rng, journey.now + (8 + int(rng.expovariate(1 / 50))) * MINUTE)
    pack = int(warehouse.pack_minutes * rng.lognormvariate(0, warehouse.pack_spread) * MINUTE)
    label = int((1 + rng.expovariate(1 / 5)) * MINUTE)
    for stage, after in (("picked", int(rng.random() * MINUTE)), ("packed", pack), ("labeled", label)):
        journey.tell(stage, after)
        if stage == ends_at:
            journey.tell("cancelled", int(rng.lognormvariate(0, 1) * 40 * MINUTE))
            return False
    return True


def _in_opening_hours(rng: random.Random, ts: Micros) -> Micros:
    hour = ts % DAY // HOUR
    if OPENS <= hour < CLOSES:
        return ts
    return (ts + (DAY if hour >= CLOSES else 0)) // DAY * DAY + OPENS * HOUR + int(rng.random() * 90 * MINUTE)


def _haul(journey: Journey, hubs: tuple[str, ...], stops_at: Optional[int], stormy: frozenset[tuple[str, int]]) -> bool:
    """Carry the parcel from hub to hub; tell whether it comes through to the last mile."""
    rng, carrier = journey.rng, journey.carrier
    journey.scan("carrier_scanned", int(carrier.scan_minutes * rng.lognormvariate(0, 0.45) * MINUTE))
    lane = journey.warehouse.region, journey.dest
    trouble_at = int(rng.random() * len(hubs)) if rng.random() < carrier.trouble else None
    held_at = int(rng.random() * len(hubs)) if journey.declared_value >= _HIGH_VALUE and rng.random() < _HELD else None
    leg = _LEG_HOURS + 2.5 * distance(*lane) / max(1, len(hubs) - 2)
    for place, hub in enumerate(hubs):
        hours = leg if place else 1.5
        travel = int(hours * carrier.pace * rng.lognormvariate(0, 0.25) * HOUR)
        if place == 1 and lane in carrier.slow_lanes:
            travel += int((24 + rng.random() * 48) * HOUR)
        if travel > 10 * HOUR:
            journey.hub_scan("in_transit", travel // 2, hubs[place - 1])
            travel -= travel // 2
        journey.hub_scan("hub_in", travel, hub)
        if place == held_at:
            _hold(journey, hub)
        if place == stops_at:
            return False
        if place == trouble_at:
            _trouble(journey, hub, rng.choices(ON_THE_WAY, cum_weights=_ON_THE_WAY_SO_FAR)[0])
        if place == len(hubs) - 1 and (journey.dest, journey.now // DAY) in stormy and rng.random() < 0.4:
            _trouble(journey, hub, "weather_delay")
        journey.hub_scan("hub_out", int(1.6 * carrier.pace * rng.lognormvariate(0, 0.4) * HOUR), hub)
        if rng.random() < carrier.transit:
            journey.scan("in_transit", int((2 + rng.random() * 15) * MINUTE), hub=hub if carrier.names_hub else None)
    return True


def _trouble(journey: Journey, hub: str, reason: str) -> None:
    rng = journey.rng
    revised = rng.random() < 0.4
    if revised:
        journey.postpone(1 + int(rng.random() * 3))
    at = hub if journey.carrier.names_hub else None
    promise = journey.promise if revised else None
    journey.tell("exception", int((0.2 + rng.random() * 3) * HOUR), reason, at, promise)
    journey.now += int((5 + rng.expovariate(1 / 14)) * HOUR)


def _hold(journey: Journey, hub: str) -> None:
    """Keep the parcel at a hub for hours or days, of which the live side hears so often that it is never silent."""
    rng = journey.rng
    for _ in range(1 + int(rng.random() * 14)):
        at = hub if journey.carrier.names_hub else None
        journey.tell("exception", int((6 + rng.random() * 5) * HOUR), "customs_delay", at)
