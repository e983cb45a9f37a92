"""The source: where the desk reads from, and where it writes down who does what."""

from collections.abc import Collection, Hashable, Mapping
from typing import NamedTuple, Protocol

from pipelines.explain import Section
from schemas.fields import Micros
from services.desk.choice import Choice
from services.desk.rows import OpenAlert, Parcel, Share
from services.desk.steps import Step

Key = tuple[str, str]
"""A parcel: its order and its tracking number."""

MOST_PARCELS = 64
"""Of different orders under one tracking number, or of one order, that are looked at."""


class SourceError(Exception):
    """A source that cannot be asked now; its text is one clear sentence without any of the rows."""


class Standing(NamedTuple):
    """A parcel of an order's story: what is said of it, and the tables behind it."""

    tracking_number: str
    lines: list[str]
    sections: list[Section]


class Source(Protocol):
    """A database or a lake; for any number of threads. Every method raises SourceError when it cannot be asked."""

    writable: bool
    """Whether steps can be taken here."""

    def now(self) -> Micros:
        """Give the time for which what it tells holds."""

    def page(self, choice: Choice, size: int) -> list[OpenAlert]:
        """Give the alerts of one page, at most `size`."""

    def count(self, choice: Choice) -> int:
        """Give how many alerts a choice has, on all pages."""

    def shares(self) -> list[Share]:
        """Give how the open alerts divide."""

    def story(self, order_id: str) -> list[Standing]:
        """Tell all that is known of an order, one entry a parcel; nothing of an order that nobody knows."""

    def parcels(self, tracking_number: str) -> list[Parcel]:
        """Give the parcels that have, or had, a tracking number."""

    def open_kinds(self, parcel: Key) -> set[str]:
        """Give the kinds of a parcel's open alerts."""

    def act(self, step: Step) -> int:
        """Take a step; give how many alerts it changed. Those that are not open any more stay as they are."""

    def queue_mark(self) -> Hashable:
        """Give what changes whenever the queue does."""

    def parcel_marks(self, parcels: Collection[Key]) -> Mapping[Key, Hashable]:
        """Give, for each parcel that is known, what changes whenever it or its alerts do."""

    def close(self) -> None:
        """Let go of it."""
