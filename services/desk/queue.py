"""The queue as every source of tables answers for it: the same questions, whatever the tables lie in."""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

from schemas.fields import Micros
from services.desk.choice import Choice
from services.desk.rows import OpenAlert, Share
from services.desk.source import Key
from services.desk.statements import Questions, Statement, rows_of
from transforms.tell.statements import Dialect

Rows = list[tuple[Any, ...]]


class Queue(ABC):
    """Open alerts in tables. Every method raises SourceError when they cannot be asked."""

    def __init__(self, dialect: Dialect) -> None:
        """Take the dialect that the tables are asked in."""
        self._ask = Questions(dialect)

    @abstractmethod
    def now(self) -> Micros:
        """Give the time for which what they tell holds."""

    @abstractmethod
    def _rows(self, asked: Statement) -> Rows:
        """Ask."""

    def page(self, choice: Choice, size: int) -> list[OpenAlert]:
        """Give the alerts of one page, at most `size`."""
        return rows_of(OpenAlert, self._rows(self._ask.page(choice, size, self.now())))

    def count(self, choice: Choice) -> int:
        """Give how many alerts a choice has."""
        return int(self._rows(self._ask.count(choice, self.now()))[0][0])

    def shares(self) -> list[Share]:
        """Give how the open alerts divide."""
        return rows_of(Share, self._rows(self._ask.shares()))

    def open_kinds(self, parcel: Key) -> set[str]:
        """Give the kinds of a parcel's open alerts."""
        return {kind for (kind,) in self._rows(self._ask.open_kinds(*parcel))}

    def queue_mark(self) -> Hashable:
        """Give what changes whenever the queue does."""
        return tuple(map(int, self._rows(self._ask.queue_mark())[0]))
