"""What goes wrong between a carrier's two ways to tell: webhooks that never come, scans that no file has."""

import random
from typing import Optional

from pipelines.simulate.journey import Journey, Scan, Step
from schemas.fields import MINUTE, Micros
from schemas.stages import CRITICAL_STAGES

MISSED_LIVE, MISSED_BATCH, SHIFTED = 0.015, 0.005, 0.004
"""Shares of the critical events: never sent live, in no file, at another time in the file."""
BEFORE_LABEL = 0.15
"""Share of the times that differ which are before the label was made."""
STRANGERS = 0.003
"""Parcels whose carrier also scans one that nobody knows."""

_MOST_SCANS = 4


class Trouble:
    """Decides what goes wrong, by a randomness of its own, so that it leaves the plan alone."""

    def __init__(self, seed: int, end: Micros) -> None:
        """Take the end of the span: nothing is scanned after it."""
        self.rng = random.Random(f"trouble {seed}")
        self.end = end
        self.missed_live = self.missed_batch = self.shifted = self.strangers = 0

    def part(self, journey: Journey, steps: list[Step], scans: list[Scan]) -> tuple[list[Step], list[Scan]]:
        """Part what is sent live of a parcel from what the nightly files are to hold, most of it in both."""
        sent: list[Step] = []
        held = list(scans)
        labeled: Optional[Micros] = None
        for step in steps:
            if step.stage not in CRITICAL_STAGES:
                sent.append(step)
                labeled = step.ts if step.stage == "labeled" else labeled
                continue
            ts, chance = step.ts, self.rng.random()
            if chance < MISSED_LIVE:
                self.missed_live += 1
            else:
                sent.append(step)
            if MISSED_LIVE <= chance < MISSED_LIVE + MISSED_BATCH:
                self.missed_batch += 1
                continue
            if MISSED_LIVE + MISSED_BATCH <= chance < MISSED_LIVE + MISSED_BATCH + SHIFTED:
                self.shifted += 1
                ts = self._shift(ts, labeled)
            held.append(Scan(ts, step.stage, step.reason, step.depot))
        return sent, held

    def stranger(self, journey: Journey, scans: list[Scan]) -> Optional[tuple[str, list[Scan]]]:
        """Give now and then the waybill and the scans of a parcel that travels beside this one, and no shop sent."""
        rng = self.rng
        if rng.random() >= STRANGERS or not scans:
            return None
        beside = rng.sample(scans, min(len(scans), 1 + int(rng.random() * _MOST_SCANS)))
        seen = [Scan(scan.ts + int(rng.random() * 90 * MINUTE), scan.stage, scan.reason, scan.hub) for scan in beside]
        seen = [scan for scan in seen if scan.ts < self.end]
        if not seen:
            return None
        self.strangers += 1
        return f"{journey.carrier.prefix}X{self.strangers:08d}", seen

    def _shift(self, ts: Micros, labeled: Optional[Micros]) -> Micros:
        by = int((15 + self.rng.random() * 105) * MINUTE)
        if labeled is not None and self.rng.random() < BEFORE_LABEL:
            return labeled - by
        later = ts + by
        return ts - by if self.rng.random() < 0.5 or later >= self.end else later
