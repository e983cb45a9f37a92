"""When senders send again what was not taken, as they document it."""

from collections.abc import Mapping
from typing import NamedTuple

TRANSIENT = frozenset({408, 429, *range(500, 600)})


class Retries(NamedTuple):
    """A sender's patience.

    Attributes:
        answer: seconds in which it must have its answer.
        waits: seconds before each further attempt.
        only: statuses that are tried again; None for all but 2xx. No answer at all is always tried again.
    """

    answer: float
    waits: tuple[float, ...]
    only: frozenset[int] | None = None

    def again(self, status: int | None, attempts: int) -> float | None:
        """Give the seconds until the next attempt; None where there is none.

        >>> Retries(3, (10, 60), TRANSIENT).again(503, attempts=1)
        10
        >>> Retries(3, (10, 60), TRANSIENT).again(401, attempts=1) is None
        True
        """
        if attempts > len(self.waits) or (status is not None and self.only is not None and status not in self.only):
            return None
        return self.waits[attempts - 1]


_USUAL = Retries(10, (30, 60, 120, 240, 480))
"""Of senders that do not say how often they try."""

RETRIES: Mapping[str, Retries] = {
    # Six, with a growing delay that is not told.
    "easypost": Retries(7, (30, 60, 120, 240, 480, 960)),
    "shippo": Retries(3, (30, 60), TRANSIENT),
    "aftership": Retries(10, tuple(30 * 2**n for n in range(13))),
    "blue_dart": Retries(10, (60, 120, 240)),
    "seventeen_track": Retries(10, (600, 1800, 3600)),
}
"""By kind: EasyPost's, Shippo's, AfterShip's, Blue Dart's and 17TRACK's documents."""


def retries(kind: str) -> Retries:
    """Give how a kind of sender tries again."""
    return RETRIES.get(kind, _USUAL)
