"""The store: where rows are recorded, by its address."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from schemas.fields import Micros
from schemas.rows import Alert, Status
from transforms.tell.record import Recorded

SQLITE = "sqlite:///"


class StoreError(Exception):
    """A store that cannot be used; its text is one clear sentence without any of the rows."""


class Store(Protocol):
    """A database that takes batches of rows, each in one transaction."""

    def write(self, statuses: Collection[Status], alerts: Collection[Alert], since: Micros = 0) -> Recorded:
        """Record a batch: all of it, or by an error nothing. What happened before `since` is not told any more.

        Raises:
            StoreError: the database does not take it, now or ever.
        """

    def close(self) -> None:
        """Let go of the database."""


def sqlite_path(address: str) -> Path | None:
    """Give the file that an address names; None for any other database.

    >>> sqlite_path("sqlite:////var/lib/milepost/outbox.db"), sqlite_path("postgresql://127.0.0.1/shop")
    (PosixPath('/var/lib/milepost/outbox.db'), None)
    """
    return Path(address.removeprefix(SQLITE)) if address.startswith(SQLITE) else None
