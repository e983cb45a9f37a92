"""The stages of a parcel's journey: their order, and what each one means.

Rank, not time, decides where a parcel stands: a scan that comes in after the delivery has a lower rank
and moves nothing back. The first eight names are those of the shop's own systems; the rest are carriers'.
"""

from typing import NamedTuple


class Stage(NamedTuple):
    """One stage: its place on the way, whether the carrier reports it, whether it ends the wait for delivery."""

    name: str
    rank: int
    carrier: bool = True
    closing: bool = False


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("picked", 10, carrier=False),
        Stage("packed", 20, carrier=False),
        Stage("labeled", 30, carrier=False),
        Stage("carrier_scanned", 40),
        Stage("in_transit", 50),
        Stage("hub_in", 51),
        Stage("hub_out", 52),
        Stage("exception", 60),
        Stage("out_for_delivery", 70),
        Stage("attempt_failed", 75),
        Stage("available_for_pickup", 80),
        # A parcel given up and then delivered after all is delivered; hence these stand below it.
        Stage("cancelled", 84, carrier=False, closing=True),
        Stage("failed", 85, closing=True),
        Stage("lost", 86, closing=True),
        Stage("delivered", 90, closing=True),
        # Only a return reopens a delivered parcel.
        Stage("return_started", 95, closing=True),
        Stage("returned", 96, closing=True),
    )
}

RANK: dict[str, int] = {name: stage.rank for name, stage in STAGES.items()}

CARRIER_STAGES = frozenset(name for name, stage in STAGES.items() if stage.carrier)
"""Stages that only the carrier can report: the parcel is in its hands."""

CRITICAL_STAGES = CARRIER_STAGES - {"in_transit", "hub_in", "hub_out"}
"""Carrier stages that are awaited live; movement between hubs may wait for the night."""

CLOSING_STAGES = frozenset(name for name, stage in STAGES.items() if stage.closing)
"""Stages after which nobody waits for the delivery any more."""

TROUBLE_STAGES = frozenset({"exception", "attempt_failed"})
"""Stages that are news in themselves and carry a reason."""

# Progress that proves an earlier stage happened even if its own scan was missed.
_FORWARD = frozenset(RANK) - CLOSING_STAGES - {"exception"}


def at_or_beyond(name: str) -> frozenset[str]:
    """Give every stage which shows that the parcel got as far as `name`, or that nobody waits for it any more.

    >>> sorted(at_or_beyond("attempt_failed") - CLOSING_STAGES)
    ['attempt_failed', 'available_for_pickup']
    """
    return frozenset(s for s in _FORWARD if RANK[s] >= RANK[name]) | CLOSING_STAGES
