"""The stores there are, by address: a DSN of Postgres, or sqlite:///PATH."""

from collections.abc import Sequence

from transforms.tell import postgres, sqlite
from transforms.tell.store import Store, sqlite_path


def migrate(address: str) -> list[str]:
    """Bring the tables at an address up to date; give the names of the migrations that ran.

    Raises:
        StoreError: the database cannot be used.
    """
    path = sqlite_path(address)
    return postgres.migrate(address) if path is None else sqlite.migrate(path)


def open_store(address: str, channels: Sequence[str]) -> Store:
    """Give the store at an address."""
    path = sqlite_path(address)
    return postgres.Postgres(address, channels) if path is None else sqlite.Sqlite(path, channels)
