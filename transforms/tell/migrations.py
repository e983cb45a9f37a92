"""Migrations: ordered SQL files that make the tables, each run once; a table notes which have."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from transforms.tell.store import StoreError

FOLDER = Path(__file__).parents[2] / "schemas"


class Migration(NamedTuple):
    """One file."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Give what tells whether the file was changed."""
        return hashlib.blake2b(self.sql.encode(), digest_size=16).hexdigest()


def migrations(database: str) -> list[Migration]:
    """Give the migrations of `postgres` or `sqlite`, in order."""
    return [
        Migration(path.stem, path.read_text(encoding="utf-8")) for path in sorted((FOLDER / database).glob("*.sql"))
    ]


def missing(known: list[Migration], noted: Iterable[tuple[str, str]]) -> list[Migration]:
    """Give the migrations that have not run.

    Args:
        known: all that this version has.
        noted: names and digests of those that ran.

    Raises:
        StoreError: one that ran is unknown here, or was changed since.
    """
    ran = dict(noted)
    unknown = ran.keys() - {one.name for one in known}
    if unknown:
        raise StoreError(f"The database was set up by a newer Milepost ({min(unknown)}); please upgrade.")
    for one in known:
        if ran.get(one.name, one.digest) != one.digest:
            raise StoreError(f"The migration {one.name} was changed after it ran on this database.")
    return [one for one in known if one.name not in ran]
