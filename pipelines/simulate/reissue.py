"""Waybills issued anew: a parcel whose label is printed again goes on under another number."""

import random
from collections.abc import Iterator

from pipelines.simulate.journey import Journey, Step

REISSUED = 0.006
"""Share of the parcels that had a label and went on."""
OWN_LABEL = 0.5
"""Share of the new labels that the shop also tells of by themselves."""


class Reissue:
    """Decides whose label is printed again, by a randomness of its own, so that it leaves the plan alone."""

    def __init__(self, seed: int) -> None:
        """Begin with none."""
        self.rng = random.Random(f"reissue {seed}")
        self.reissued = 0

    def part(self, journey: Journey) -> Iterator[Journey]:
        """Give the parcel as it was planned, or now and then as two: until the new label, and under it."""
        steps = journey.steps
        label = next((place for place, step in enumerate(steps) if step.stage == "labeled"), len(steps) - 1)
        if label == len(steps) - 1 or self.rng.random() >= REISSUED:
            yield journey
            return
        labeled, after = steps[label], steps[label + 1 :]
        between = min([step.ts for step in after] + [scan.ts for scan in journey.scans]) - labeled.ts
        at = labeled.ts + 1 + int(self.rng.random() * (between // 2 - 1))
        self.reissued += 1
        successor = _under(journey, f"{journey.carrier.prefix}R{self.reissued:08d}")
        # The event that cancels the old label says all that there is to say of the new one.
        successor.steps = [Step(at, "labeled", None, None, None, labeled.depot, told=False)]
        if self.rng.random() < OWN_LABEL:
            own = at + 1 + int(self.rng.random() * (between // 2 - 1))
            successor.steps.append(Step(own, "labeled", None, None, None, labeled.depot))
        successor.steps += after
        successor.scans = journey.scans
        waybill = successor.tracking_number
        cancelled = Step(at, "cancelled", "retailer_reissued", None, None, labeled.depot, waybill)
        journey.steps, journey.scans = [*steps[: label + 1], cancelled], []
        yield journey
        yield successor


def _under(journey: Journey, waybill: str) -> Journey:
    """Give a parcel's journey under another number, with nothing in it yet."""
    one = journey
    other = Journey(one.rng, one.order_id, one.customer_id, one.warehouse, one.dest, one.carrier, one.now)
    other.tracking_number = waybill
    other.declared_value = one.declared_value
    other.first_promise, other.promise = one.first_promise, one.promise
    return other
