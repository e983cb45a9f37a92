"""The source of a shop that goes live: Postgres, or one file of SQLite."""

import sqlite3
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psycopg

from schemas.clock import WALL
from schemas.fields import Micros
from services.desk.queue import Queue, Rows
from services.desk.rows import AlertState, HandlingStep, NewsSent, Parcel
from services.desk.source import Key, SourceError, Standing
from services.desk.statements import Statement, Writes, rows_of
from services.desk.steps import Step
from services.desk.stories import tell
from transforms.tell.postgres import Postgres
from transforms.tell.sqlite import writing
from transforms.tell.statements import POSTGRES, SQLITE
from transforms.tell.store import StoreError, sqlite_path

Execute = Callable[[Statement], Rows]
Result = TypeVar("Result")

PATIENCE = 3.0
"""Seconds for which the database may be away before somebody who waits for a page is told."""


class Database(Queue):
    """The tables of one database; each method is one transaction."""

    writable = True

    def __init__(self, address: str, connections: int = 8) -> None:
        """Take the address, a DSN or sqlite:///PATH, and how many connections may be held."""
        self.path = sqlite_path(address)
        self._pool = Postgres(address, (), PATIENCE, connections) if self.path is None else None
        dialect = POSTGRES if self.path is None else SQLITE
        super().__init__(dialect)
        self._write = Writes(dialect)

    def now(self) -> Micros:
        """Give the time."""
        return WALL.now()

    def story(self, order_id: str) -> list[Standing]:
        """Tell an order's story."""

        def work(execute: Execute) -> list[Standing]:
            return tell(
                sorted(rows_of(Parcel, execute(self._ask.order(order_id)))),
                rows_of(AlertState, execute(self._ask.alerts(order_id))),
                rows_of(HandlingStep, execute(self._ask.steps(order_id))),
                rows_of(NewsSent, execute(self._ask.news(order_id))),
                self.now(),
            )

        return self._read(work) if _fits(order_id) else []

    def parcels(self, tracking_number: str) -> list[Parcel]:
        """Give the parcels that have, or had, a tracking number."""
        return rows_of(Parcel, self._rows(self._ask.parcels(tracking_number))) if _fits(tracking_number) else []

    def act(self, step: Step) -> int:
        """Take a step, and keep it."""
        alerts = _json([{"alert_id": one} for one in step.alerts])

        def work(execute: Execute) -> int:
            execute(self._write.hold(alerts))
            changed = execute(self._write.handle(step, alerts))
            if changed:
                moved = [{"alert_id": identity, "occurrence": occurrence} for identity, occurrence in changed]
                execute(self._write.keep(step, _json(moved)))
            return len(changed)

        if self.path is None:
            return self._read(work)
        try:
            with writing(self.path) as file:
                return work(lambda asked: file.execute(asked.sql, asked.given).fetchall())
        except StoreError as fault:
            raise SourceError("The file cannot be written.") from fault

    def parcel_marks(self, parcels: Collection[Key]) -> Mapping[Key, Hashable]:
        """Give what changes whenever a parcel or its alerts do."""
        keys = _json([{"order_id": order, "tracking_number": number} for order, number in parcels])
        return {(row[0], row[1]): (int(row[2]), int(row[3])) for row in self._rows(self._ask.parcel_marks(keys))}

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()

    def _rows(self, asked: Statement) -> Rows:
        return self._read(lambda execute: execute(asked))

    def _read(self, work: Callable[[Execute], Result]) -> Result:
        if self._pool is not None:
            try:
                return self._pool.patiently(lambda connection: work(_through(connection)))
            except StoreError as fault:
                raise SourceError("The database cannot be asked.") from fault
        assert self.path is not None
        return _read_file(self.path, work)


def _read_file(path: Path, work: Callable[[Execute], Result]) -> Result:
    try:
        file = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", timeout=PATIENCE, isolation_level=None, uri=True)
        try:
            file.execute("pragma query_only = on")
            file.execute("begin")
            return work(lambda asked: file.execute(asked.sql, asked.given).fetchall())
        finally:
            file.close()
    except sqlite3.Error as fault:
        raise SourceError("The database cannot be asked.") from fault


def _through(connection: psycopg.Connection) -> Execute:
    def execute(asked: Statement) -> Rows:
        done = connection.execute(asked.sql.encode(), asked.given)
        return done.fetchall() if done.description else []

    return execute


def _fits(word: str) -> bool:
    """Tell whether a word can be in a database at all: no text there holds a NUL."""
    return "\0" not in word


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
