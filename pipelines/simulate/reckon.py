"""The rules of the journey once more, for one parcel whose events are known, in order and complete."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from pipelines.simulate.journey import Journey, Step
from schemas.fields import HOUR, MINUTE, Micros
from schemas.stages import CARRIER_STAGES, CLOSING_STAGES

Times = dict[str, Micros]
"""The first time of each stage reached."""
VisitRow = tuple[Micros, Micros, int, list[str], Optional[Micros]]
"""Start, end, events, hubs, when it closed the parcel."""
AlertRow = tuple[str, Micros, Optional[Micros]]
"""Kind, due, when it ended if it did."""

HIGH_VALUE = 500.0
VISIT_GAP = 12 * HOUR
_BEFORE_PROMISE = 4 * HOUR

_TRIED = frozenset({"attempt_failed", "available_for_pickup"}) | CLOSING_STAGES
_MOVED = frozenset({"carrier_scanned", "in_transit", "hub_in", "hub_out", "out_for_delivery"}) | _TRIED
_MADE_READY = frozenset({"packed", "labeled"}) | _MOVED

_WAITS = (
    ("pick_pack_delay", "picked", 30 * MINUTE, _MADE_READY),
    ("label_scan_delay", "labeled", 2 * HOUR, _MOVED),
    ("last_mile_delay", "out_for_delivery", 12 * HOUR, _TRIED),
)


class Reckoning(NamedTuple):
    """What follows from a parcel's events."""

    times: Times
    visits: list[VisitRow]
    alerts: list[AlertRow]


def reckon(journey: Journey, events: list[Step]) -> Reckoning:
    """Reckon what follows from a parcel's events; they are in order of time."""
    times = first_times(events)
    visits = visits_of(events, VISIT_GAP) if journey.declared_value >= HIGH_VALUE else []
    alerts = list(alerts_of(events, times, journey.first_promise, visits, _BEFORE_PROMISE, VISIT_GAP))
    return Reckoning(times, visits, alerts)


def first_times(steps: Iterable[Step]) -> Times:
    """Give the first time of each stage; the steps are in order of time."""
    times: Times = {}
    for step in steps:
        times.setdefault(step.stage, step.ts)
    return times


def visits_of(steps: Iterable[Step], gap: int) -> list[VisitRow]:
    """Give the bursts of the carrier's events: a silence of `gap` microseconds or longer parts two."""
    bursts: list[list[Step]] = []
    for step in steps:
        if step.stage not in CARRIER_STAGES:
            continue
        if not bursts or step.ts - bursts[-1][-1].ts >= gap:
            bursts.append([])
        bursts[-1].append(step)
    return [
        (
            burst[0].ts,
            burst[-1].ts,
            len(burst),
            sorted({step.hub for step in burst if step.hub is not None}),
            next((step.ts for step in burst if step.stage in CLOSING_STAGES), None),
        )
        for burst in bursts
    ]


def alerts_of(
    steps: Iterable[Step],
    times: Times,
    promise: Optional[Micros],
    visits: list[VisitRow],
    at_risk: int,
    gap: int,
) -> Iterator[AlertRow]:
    """Give every alert that was or will be raised unless something ends it by then, whatever the horizon."""
    for kind, anchor, limit, awaited in _WAITS:
        if anchor in times:
            due = times[anchor] + limit
            ended = min((ts for stage, ts in times.items() if stage in awaited), default=None)
            if ended is None or ended > due:
                yield kind, due, ended
    closed = min((ts for stage, ts in times.items() if stage in CLOSING_STAGES), default=None)
    if promise is not None:
        for kind, due in (("sla_at_risk", promise - at_risk), ("sla_breached", promise)):
            if closed is None or closed > due:
                yield kind, due, closed
    for step in steps:
        if step.stage in ("exception", "attempt_failed") and (closed is None or closed > step.ts):
            yield step.stage, step.ts, closed
    yield from _silences(visits, closed, gap)


def _silences(visits: list[VisitRow], closed: Optional[Micros], gap: int) -> Iterator[AlertRow]:
    for number, (_, end, *_rest) in enumerate(visits):
        due = end + gap
        if closed is not None and closed <= due:
            continue
        ended = [visits[number + 1][0]] if number + 1 < len(visits) else []
        if closed is not None:
            ended.append(closed)
        if not ended or min(ended) > due:
            yield "silent_high_value", due, min(ended, default=None)
