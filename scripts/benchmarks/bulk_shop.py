"""A shop in bulk, drawn column by column: parcels of five carriers, their live events, and their scans in five days.

Whatever a night has to find is in it: webhooks that never came, scans that lack, times that differ, waybills that
nobody knows, scans after the delivery, scans that come twice, late or in two files. A stage is reported once a parcel
(a second attempt apart, where nothing lacks), so that what differs can be told by the first time of either side alone.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schemas.events import Event
from schemas.fields import DAY, HOUR, MINUTE, SECOND, arrow_schema

CARRIERS = ("regional", "ups", "usps", "delhivery", "blue_dart")
FIRST_DAY = 20_514 * DAY
"""2026-03-02."""
DAYS = 5
END = FIRST_DAY + DAYS * DAY
HUBS = 40
"""Of each carrier."""
EVENTS_A_PARCEL = 4.77
REASONS = np.array(
    ["weather_delay", "customs_delay", "consignee_incorrect_address", "carrier_sorting_error", "retailer_not_ready"]
)

Numbers = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]


class Sightings(NamedTuple):
    """Times of one stage: of which parcels, when, at which hubs, and, of a trouble, for which of REASONS."""

    stage: str
    parcel: Numbers
    ts: Numbers
    hub: Numbers
    reason: Numbers


class Shop(NamedTuple):
    """What was drawn.

    Attributes:
        events: rows of the class Event.
        scans: columns parcel, ts, stage, hub, reason and day, the number of the file's day.
        parcels: how many are known live; parcels of higher numbers are known by their scans alone.
    """

    events: pa.Table
    scans: pa.Table
    parcels: int


def draw(scans: int, events: int, seed: int = 1, *, moves: bool = False) -> Shop:
    """Draw a shop of about so many scans and live events; with `moves`, movement between hubs comes live as well."""
    rng = np.random.default_rng(seed)
    parcels = max(int(events / EVENTS_A_PARCEL), 1)
    strays = parcels // 300
    legs = min(max((1.15 * scans / parcels - 3) / 2.85, 1), 60)
    journeys = _journeys(rng, parcels + strays, legs)
    told, filed = [], []
    for one in journeys:
        live, batch = _sides(rng, one, parcels, moves=moves)
        told.append(live)
        filed.append(batch)
    return Shop(_events(rng, told, parcels), _scans(rng, filed), parcels)


def _spell(rng: np.random.Generator, size: int, low: float, high: float) -> Numbers:
    """Draw spells of some hours, in whole seconds."""
    drawn: Numbers = rng.integers(int(low * HOUR / SECOND), int(high * HOUR / SECOND), size) * SECOND
    return drawn


def _journeys(rng: np.random.Generator, size: int, mean_legs: float) -> list[Sightings]:
    """Draw what truly happens to each parcel."""
    every = np.arange(size)
    found: list[Sightings] = []

    def happens(stage: str, ts: Numbers, who: Marks | None = None, hub: Numbers | None = None) -> None:
        chosen = every if who is None else np.flatnonzero(who)
        at = np.zeros(size, np.int64) if hub is None else hub
        found.append(Sightings(stage, chosen, ts[chosen], at[chosen], rng.integers(0, len(REASONS), len(chosen))))

    fate = rng.random(size)
    cancelled, lost, returned = fate < 0.005, (fate >= 0.005) & (fate < 0.01), (fate >= 0.01) & (fate < 0.02)
    attempted, excepted = (fate >= 0.02) & (fate < 0.07), (fate >= 0.07) & (fate < 0.10)
    labeled = FIRST_DAY + _spell(rng, size, 0, 84)
    told_by_shop = rng.random(size) < 0.4
    picked = labeled - _spell(rng, size, 0.5, 3)
    happens("picked", picked, told_by_shop)
    happens("packed", picked + (labeled - picked) // 2 // SECOND * SECOND, told_by_shop)
    happens("labeled", labeled)
    happens("cancelled", labeled + _spell(rng, size, 0.1, 1), cancelled)
    sent = ~cancelled
    clock = labeled + _spell(rng, size, 0.3, 3)
    hub = rng.integers(0, HUBS, size)
    happens("carrier_scanned", clock, sent, hub)
    wanted = rng.integers(max(int(mean_legs) - 2, 1), int(mean_legs) + 3, size)
    for leg in range(int(wanted.max())):
        here = sent & (wanted > leg) & ~(lost & (leg >= 2))
        hub = np.where(here, (hub + rng.integers(1, HUBS, size)) % HUBS, hub)
        clock = _stay(rng, happens, clock, here, hub, 56 / mean_legs)
        if leg == 0:
            happens("exception", clock + 10 * MINUTE, excepted, hub)
    happens("lost", clock + _spell(rng, size, 12, 24), lost, hub)
    sent &= ~lost
    door = clock + _spell(rng, size, 0.3, 1)
    happens("out_for_delivery", door, sent, hub)
    failed = door + _spell(rng, size, 1, 5)
    happens("attempt_failed", failed, attempted, hub)
    back = _stay(rng, happens, failed, attempted, hub, 8)
    again = back + _spell(rng, size, 0.3, 1)
    happens("out_for_delivery", again, attempted, hub)
    delivered = np.where(attempted, again, door) + _spell(rng, size, 1.6, 8)
    happens("delivered", delivered, sent, hub)
    happens("return_started", delivered + _spell(rng, size, 2, 6), returned, hub)
    happens("returned", delivered + _spell(rng, size, 8, 12), returned, hub)
    happens("hub_in", delivered + _spell(rng, size, 1, 5), sent & (rng.random(size) < 0.01), hub)
    # Of parcels with two attempts nothing lacks, else their first times would not tell all.
    return [one._replace(reason=np.where(attempted[one.parcel], -1 - one.reason, one.reason)) for one in found]


def _stay(rng: np.random.Generator, happens, clock: Numbers, here: Marks, hub: Numbers, hours: float) -> Numbers:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Let parcels come to a hub, be moved there and leave it; give the time after that."""
    size = len(clock)
    came = clock + _spell(rng, size, hours / 8, hours / 3)
    moved = came + _spell(rng, size, hours / 20, hours / 2)
    left = moved + _spell(rng, size, hours / 20, hours / 4)
    happens("hub_in", came, here & (rng.random(size) < 0.97), hub)
    happens("in_transit", moved, here & (rng.random(size) < 0.95), hub)
    happens("hub_out", left, here & (rng.random(size) < 0.97), hub)
    return np.where(here, left, clock)


_SHOP = ("picked", "packed", "labeled", "cancelled")
_MOVES = ("hub_in", "in_transit", "hub_out")


def _sides(rng: np.random.Generator, one: Sightings, parcels: int, *, moves: bool) -> tuple[Sightings, Sightings]:
    """Give what comes live of a stage, and what the files tell of it."""
    sure = one.reason < 0
    one = one._replace(reason=np.where(sure, -1 - one.reason, one.reason))
    known = one.parcel < parcels
    in_time = one.ts < END
    if one.stage in _SHOP:
        return _only(one, known & in_time), _only(one, np.zeros(len(known), np.bool_))
    if one.stage in _MOVES:
        return _only(one, known & in_time & moves), _only(one, in_time)
    luck = np.where(sure, 1.0, rng.random(len(known)))
    apart = rng.integers(30 * 60, 90 * 60, len(known)) * SECOND
    shift = rng.integers(-120, 120, len(known)) * SECOND
    shift = np.where((luck >= 0.025) & (luck < 0.03), -apart, shift)
    shift = np.where((luck >= 0.03) & (luck < 0.035), apart, shift)
    if one.stage == "carrier_scanned":
        shift = np.where((luck >= 0.035) & (luck < 0.04), -6 * HOUR, shift)
    scanned = one._replace(ts=one.ts + shift)
    return (
        _only(one, known & in_time & (luck >= 0.015)),
        _only(scanned, (scanned.ts < END) & ((luck < 0.015) | (luck >= 0.025))),
    )


def _only(one: Sightings, mask: Marks) -> Sightings:
    return Sightings(one.stage, one.parcel[mask], one.ts[mask], one.hub[mask], one.reason[mask])


def _scans(rng: np.random.Generator, filed: list[Sightings]) -> pa.Table:
    """Give the lines of the files: a few scans come a day late, again a day later, or twice."""
    columns = [np.concatenate([one[place] for one in filed]) for place in (1, 2, 3, 4)]
    stage = np.repeat(np.arange(len(filed)), [len(one.ts) for one in filed])
    day = np.clip((columns[1] - FIRST_DAY) // DAY, 0, DAYS - 1)
    luck = rng.random(len(day))
    late = np.minimum(day + (luck < 0.01), DAYS - 1)
    overlap, twice = np.flatnonzero((luck > 0.98) & (day < DAYS - 1)), np.flatnonzero((luck > 0.5) & (luck < 0.503))
    rows = np.concatenate([np.arange(len(day)), overlap, twice])
    names = pa.DictionaryArray.from_arrays(pa.array(stage[rows], pa.int32()), pa.array([one.stage for one in filed]))
    return pa.table(
        {
            "parcel": columns[0][rows],
            "ts": columns[1][rows],
            "stage": names,
            "hub": columns[2][rows],
            "reason": columns[3][rows],
            "day": np.concatenate([late, day[overlap] + 1, day[twice]]),
        }
    )


def waybills(parcel: Numbers) -> pa.Array:
    """Give the numbers of waybills."""
    return pa.array(np.char.add("WB", np.char.zfill(parcel.astype("U9"), 9)))


def _events(rng: np.random.Generator, told: list[Sightings], parcels: int) -> pa.Table:
    """Give the events; attributes and promise come with the label."""
    every = np.arange(parcels)
    number = pa.array(every.astype("U9"))
    ways = waybills(every)
    places = pa.array(["north", "south", "east", "west"])
    promised = _spell(rng, parcels, 30, 60)
    value = np.round(rng.gamma(2.0, 90.0, parcels), 2)
    parts, before = [], 0
    for one in told:
        size = len(one.parcel)
        labeled = one.stage == "labeled"
        trouble = one.stage in ("exception", "attempt_failed")
        mine = pa.array(one.parcel)

        def words(column: pa.Array, said: bool, mine: pa.Array = mine, size: int = size) -> pa.Array:
            return column.take(mine) if said else pa.nulls(size, column.type)

        reasons = pa.array(REASONS if one.stage == "exception" else np.repeat("consignee_not_home", len(REASONS)))
        columns = {
            "event_id": _prefixed("e", pa.array(np.arange(before, before + size).astype("U9"))),
            "order_id": _prefixed("o", number).take(mine),
            "customer_id": words(_prefixed("c", number), labeled),
            "stage": pa.array(np.repeat(one.stage, size)),
            "warehouse_id": words(_prefixed("w", pa.array((every % 3).astype("U1"))), labeled),
            "carrier": pa.array(CARRIERS).take(pa.array(one.parcel % len(CARRIERS))),
            "tracking_number": ways.take(mine),
            "promised_delivery_ts": _times(one.ts + promised[one.parcel]) if labeled else None,
            "event_ts": _times(one.ts),
            "reason": reasons.take(pa.array(one.reason)) if trouble else None,
            "origin_region": words(places.take(pa.array(every % 4)), labeled),
            "dest_region": words(places.take(pa.array(every // 4 % 4)), labeled),
            "declared_value": words(pa.array(value), labeled),
            "currency": words(pa.array(np.repeat("EUR", parcels)), labeled),
            "received_ts": _times(one.ts + 2 * SECOND),
        }
        parts.append(_table(columns, size))
        before += size
    return pa.concat_tables(parts)


def _table(columns: dict[str, pa.Array | None], size: int) -> pa.Table:
    schema = arrow_schema(Event)
    said = [columns.get(field.name) for field in schema]
    return pa.table(
        [pa.nulls(size, field.type) if one is None else one for field, one in zip(schema, said, strict=True)],
        schema=schema,
    )


def _prefixed(letter: str, numbers: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(letter, numbers, "")


def _times(ts: Numbers) -> pa.Array:
    return pa.array(ts).cast(pa.timestamp("us", "UTC"))
