"""The clock by which the live side tells what time it is: the wall clock, or in a trial a simulated one."""

import time
from typing import Annotated

from msgspec import Meta, Struct

from schemas.fields import SECOND, Micros


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """A clock: the wall clock, unless it is set.

    A set clock showed `simulated` when the wall clock showed `real`, runs `speed` times as fast, and stands still at
    `until`: so a day can be played in two minutes and then stay as it is.
    """

    real: Micros = 0
    simulated: Micros = 0
    speed: Annotated[float, Meta(gt=0)] = 1.0
    until: Micros = 0

    def now(self) -> Micros:
        """Give the time in microseconds."""
        wall = time.time_ns() // 1000
        shown = self.simulated + int((wall - self.real) * self.speed) if self.real else wall
        return min(shown, self.until) if self.until else shown

    def wait(self, length: Micros) -> float:
        """Give the seconds of real time in which that much passes on this clock."""
        return length / SECOND / (self.speed if self.real else 1.0)


WALL = Clock()
