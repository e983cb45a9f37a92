"""A parcel and its diary so far: what was told live, and what was scanned at hubs."""

import random
from typing import Optional

from msgspec import Struct

from pipelines.simulate.shop import HUBS, Carrier, Warehouse
from schemas.fields import DAY, Micros
from schemas.stages import CARRIER_STAGES


class Step(Struct, array_like=True, gc=False):
    """One live event of a parcel."""

    ts: Micros
    stage: str
    reason: Optional[str]
    hub: Optional[str]
    promise: Optional[Micros]
    depot: str
    """The hub or depot where it happened, whether or not the event names it."""
    successor: Optional[str] = None
    """The waybill that takes the place of this one."""
    told: bool = True
    """There is a line of it; else what another line says tells it too."""


class Scan(Struct, array_like=True, gc=False):
    """A scan that the carrier's nightly file is to hold."""

    ts: Micros
    stage: str
    reason: Optional[str]
    hub: str


class Journey:
    """A parcel under way. No two of its events have the same time, and they are told in the order of time."""

    __slots__ = (
        "carrier", "customer_id", "declared_value", "depot", "dest", "first_promise", "now", "order_id", "promise",
        "rng", "scans", "steps", "tracking_number", "warehouse",
    )  # fmt: skip

    def __init__(
        self,
        rng: random.Random,
        order_id: str,
        customer_id: str,
        warehouse: Warehouse,
        dest: str,
        carrier: Carrier,
        placed: Micros,
    ) -> None:
        """Begin when the order is placed."""
        self.rng = rng
        self.order_id = order_id
        self.customer_id = customer_id
        self.warehouse = warehouse
        self.dest = dest
        self.carrier = carrier
        self.now = placed
        self.depot = HUBS[warehouse.region][0]
        self.tracking_number = ""
        self.declared_value = 0.0
        self.first_promise: Optional[Micros] = None
        self.promise: Optional[Micros] = None
        self.steps: list[Step] = []
        self.scans: list[Scan] = []

    def tell(
        self,
        stage: str,
        after: int,
        reason: Optional[str] = None,
        hub: Optional[str] = None,
        promise: Optional[Micros] = None,
    ) -> None:
        """Let `after` microseconds pass and send an event, timed by the carrier's clock or the shop's finer one."""
        self._pass(after, self.carrier.tick if stage in CARRIER_STAGES else 1)
        self.steps.append(Step(self.now, stage, reason, hub, promise, self.depot))

    def scan(self, stage: str, after: int, hub: Optional[str] = None) -> None:
        """Do as `tell`, unless the scan is missed; the time passes either way."""
        if self.rng.random() < self.carrier.misses:
            self.now += after
        else:
            self.tell(stage, after, hub=hub)

    def hub_scan(self, stage: str, after: int, hub: str) -> None:
        """Let `after` microseconds pass and note a hub scan for the nightly file; some carriers send it live too."""
        self._pass(after, self.carrier.tick)
        self.depot = hub
        if self.rng.random() < self.carrier.misses:
            return
        self.scans.append(Scan(self.now, stage, None, hub))
        if self.carrier.live_hubs:
            self.steps.append(Step(self.now, stage, None, hub, None, hub))

    def backlog(self, after: int) -> None:
        """Let `after` microseconds pass and clear a depot's backlog: a scan on the way that nobody needs any more."""
        self.tell("in_transit", after)
        self.scans.append(Scan(self.now, "in_transit", None, self.depot))

    def postpone(self, days: int) -> None:
        """Promise a later day than so far, where there is a promise."""
        if self.promise is not None:
            self.promise += days * DAY

    def to_hour(self, first: float, last: float, least: int = 0) -> int:
        """Give the microseconds to a random time between two hours of a day: today's, if they are still to come."""
        soonest = self.now + least
        day = soonest // DAY * DAY
        if soonest - day > first / 24 * DAY:
            day += DAY
        return int(day + (first + self.rng.random() * (last - first)) / 24 * DAY) - self.now

    def _pass(self, after: int, tick: int) -> None:
        ts = self.now + after
        ts -= ts % tick
        # A coarse clock must not put an event before the one that went before it.
        self.now = ts if ts > self.now else self.now - self.now % tick + tick
