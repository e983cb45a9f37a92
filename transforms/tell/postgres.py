"""Postgres: the tables that operations read. Batches are tried again while the database is away, so the graph waits."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from schemas.fields import Micros
from schemas.rows import Alert, Status
from transforms.tell.migrations import migrations, missing
from transforms.tell.patience import full_jitter
from transforms.tell.record import Recorded, record
from transforms.tell.statements import POSTGRES, Statements
from transforms.tell.store import StoreError

PATIENCE = 120.0
"""Seconds for which a batch is tried before the bundle fails, and the engine starts again from its checkpoint."""

LOCK = 0x6D696C65706F7374
"""Advisory lock that one who migrates holds."""

CONNECT: dict[str, Any] = {
    "application_name": "milepost",
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    # A server that is gone without a word must not hold a batch for longer than it takes to try again.
    "tcp_user_timeout": 30_000,
}
LIMITS = "-c statement_timeout=60s -c lock_timeout=30s -c idle_in_transaction_session_timeout=60s"

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction)
"""What passes: no connection, one that broke, a server that starts or stops, a deadlock, a full disk."""

_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class Postgres:
    """A pool of connections, and the batches written through it; for any number of threads."""

    def __init__(self, dsn: str, channels: Sequence[str], patience: float = PATIENCE, connections: int = 4) -> None:
        """Take the address, whom to tell, how many seconds a batch is tried, and the most connections to hold.

        Nothing is opened yet.
        """
        self.channels = tuple(channels)
        self.patience = patience
        self.statements = Statements(POSTGRES)
        self.retries = 0
        self._pool = ConnectionPool(
            dsn,
            kwargs=_settings(dsn, LIMITS),
            min_size=1,
            max_size=connections,
            timeout=2,
            reconnect_timeout=2,
            open=False,
        )
        self._opening = threading.Lock()

    def write(self, statuses: Collection[Status], alerts: Collection[Alert], since: Micros = 0) -> Recorded:
        """Record a batch in one transaction; wait while the database is away.

        A batch whose commit was cut off may have been recorded or not: it is recorded again, which changes nothing.

        Raises:
            StoreError: the database was away for too long, or refuses the batch.
        """
        return self.patiently(lambda connection: self._write(connection, statuses, alerts, since))

    def patiently(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Do something in one transaction that may be done again.

        Raises:
            StoreError: the database was away for too long, or refuses what is asked.
        """
        until = time.monotonic() + self.patience
        attempt = 0
        while True:
            try:
                return self._once(work)
            except AWAY as fault:
                attempt += 1
                self.retries += 1
                pause = full_jitter(attempt, 0.1, 5)
                if time.monotonic() + pause > until:
                    raise StoreError(f"Postgres was away for {self.patience:.0f} s ({_name(fault)}).") from None
                if attempt == 1:
                    _LOG.warning({"event": "away", "what": "Postgres", "why": _name(fault)})
                time.sleep(pause)
            except psycopg.Error as fault:
                # Its text may quote a row.
                raise StoreError(f"Postgres refuses the batch: {_name(fault)} {fault.sqlstate or ''}.") from None

    def close(self) -> None:
        """Close the pool."""
        self._pool.close()

    def _once(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        with self._opening:
            if self._pool.closed:
                self._pool.open()
        with self._pool.connection() as connection:
            return work(connection)

    def _write(
        self, connection: psycopg.Connection, statuses: Collection[Status], alerts: Collection[Alert], since: Micros
    ) -> Recorded:
        def execute(sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
            done = connection.execute(sql.encode(), given)
            return done.fetchall() if done.description else []

        return record(execute, self.statements, statuses, alerts, self.channels, since)


def migrate(dsn: str) -> list[str]:
    """Bring the tables of a database up to date; give the names of the migrations that ran.

    Two that start at once do not collide: the second one waits, and finds nothing to do.

    Raises:
        StoreError: no connection, no right to do so, or tables of a newer version.
    """
    try:
        with psycopg.connect(dsn, **_settings(dsn)) as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            connection.execute("""create table if not exists milepost_migrations (
                name text primary key, digest text not null, ran_at timestamptz not null default clock_timestamp())""")
            noted: list[tuple[str, str]] = connection.execute("select name, digest from milepost_migrations").fetchall()
            fresh = missing(migrations("postgres"), noted)
            for one in fresh:
                connection.execute(one.sql.encode())
                connection.execute(
                    "insert into milepost_migrations (name, digest) values (%s, %s)", (one.name, one.digest)
                )
    except psycopg.Error as fault:
        raise StoreError(f"The database cannot be set up: {str(fault).strip().splitlines()[0]}.") from fault
    return [one.name for one in fresh]


def _settings(dsn: str, options: str = "") -> dict[str, Any]:
    """Give the settings of a connection; what the address says itself goes before ours."""
    try:
        said = conninfo_to_dict(dsn)
    except psycopg.Error:
        # Its text may quote the address, and that may hold a password.
        raise StoreError("The address of the database is none that Postgres understands.") from None
    ours = {name: value for name, value in CONNECT.items() if name not in said}
    return ours | {"options": f"{options} {said.get('options') or ''}".strip()}


def _name(fault: BaseException) -> str:
    return type(fault).__name__
