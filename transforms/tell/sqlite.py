"""SQLite: the same tables in one file, for one machine without a server. The same promise, by the same statements."""

import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.fields import Micros
from schemas.rows import Alert, Status
from transforms.tell.migrations import migrations, missing
from transforms.tell.record import Recorded, record
from transforms.tell.statements import SQLITE, Statements
from transforms.tell.store import StoreError

BUSY = 60.0
"""Seconds for which a writer waits for another one."""


class Sqlite:
    """One file; a connection is opened for each batch, since threads may not share one."""

    def __init__(self, path: str | Path, channels: Sequence[str]) -> None:
        """Take the file and whom to tell."""
        self.path = Path(path)
        self.channels = tuple(channels)
        self.statements = Statements(SQLITE)
        self.retries = 0

    def write(self, statuses: Collection[Status], alerts: Collection[Alert], since: Micros = 0) -> Recorded:
        """Record a batch in one transaction.

        Raises:
            StoreError: the file cannot be written.
        """
        with writing(self.path) as connection:

            def execute(sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
                return connection.execute(sql, given).fetchall()

            return record(execute, self.statements, statuses, alerts, self.channels, since)

    def close(self) -> None:
        """Let go of nothing: each batch closes what it opened."""


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for one transaction that begins as a writer, so that it never has to give way half done.

    Raises:
        StoreError: the file cannot be opened or written.
    """
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", timeout=BUSY, isolation_level=None, uri=True
        )
        try:
            # What is committed must survive the machine, not only the process.
            connection.execute("pragma synchronous = full")
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        finally:
            connection.close()
    except sqlite3.Error as fault:
        raise StoreError(f"The outbox {path} cannot be used: {fault}.") from fault


def migrate(path: str | Path) -> list[str]:
    """Make the file if need be and bring its tables up to date; give the names of the migrations that ran.

    Raises:
        StoreError: the file cannot be made, or is of a newer version.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _use_log(path)
    except (OSError, sqlite3.Error) as fault:
        raise StoreError(f"The outbox {path} cannot be made: {fault}.") from fault
    with writing(path) as connection:
        connection.execute(
            "create table if not exists milepost_migrations (name text primary key, digest text not null)"
        )
        noted = connection.execute("select name, digest from milepost_migrations").fetchall()
        fresh = missing(migrations("sqlite"), noted)
        for one in fresh:
            for statement in one.sql.split(";\n"):
                connection.execute(statement)
            connection.execute("insert into milepost_migrations values (?, ?)", (one.name, one.digest))
    return [one.name for one in fresh]


def _use_log(path: Path) -> None:
    """Let readers and the writer work at once; kept in the file. Two that start together must both get their turn."""
    until = time.monotonic() + BUSY
    while True:
        connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        finally:
            connection.close()
