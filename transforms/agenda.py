"""An agenda: when to look at what, kept small however often that changes."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Optional, TypeVar

from schemas.fields import Micros

Entry = TypeVar("Entry", bound=tuple[Any, ...])
"""A time, and the words of a key."""

FEW = 1_000
"""Entries that are not worth looking through."""


class Agenda(Generic[Entry]):
    """Entries in order of their time.

    When the time of something changes, its old entry is not searched for: it stays, and a new one is added. Whenever
    there are twice as many as there were true ones, they are replaced by those that are true now.
    """

    def __init__(self, true: Callable[[], Iterable[Entry]]) -> None:
        """Take what gives every entry that is true now; begin with none."""
        self._true = true
        self._heap: list[Entry] = []
        self._many = FEW

    def __len__(self) -> int:
        """Give the number of entries, stale ones among them."""
        return len(self._heap)

    def add(self, entry: Entry) -> None:
        """Add an entry, which must be true by now."""
        heapq.heappush(self._heap, entry)
        if len(self._heap) > self._many:
            self.renew()

    def renew(self) -> None:
        """Hold the true entries alone."""
        self._heap = list(self._true())
        heapq.heapify(self._heap)
        self._many = max(FEW, 2 * len(self._heap))

    def due(self, until: Micros) -> Iterator[Entry]:
        """Take out every entry that is due by then, stale ones too, the earliest first; more may be added meanwhile."""
        while self._heap and self._heap[0][0] <= until:
            yield heapq.heappop(self._heap)

    def next(self) -> Micros | None:
        """Give a time before which nothing is due."""
        earliest: Optional[Micros] = self._heap[0][0] if self._heap else None
        return earliest
