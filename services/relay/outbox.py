"""The outbox as the relay sees it: rows claimed for a while, marked before they go out, and noted once they are gone.

A row goes pending ▸ sending ▸ sent. It is `sending`, and that is committed, before the first byte leaves; so a relay
that dies leaves in doubt at most the row that it was sending, and what that means is the channel's policy.
"""

import secrets
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec
import psycopg

from schemas.fields import SECOND
from schemas.news import DEAD, FAILED, idempotency_key
from transforms.tell.postgres import Postgres
from transforms.tell.sqlite import writing
from transforms.tell.statements import POSTGRES, SQLITE, Dialect
from transforms.tell.store import sqlite_path

Execute = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
Result = TypeVar("Result")

PATIENCE = 10.0
"""Seconds for which the database may be away before an answer is given up."""


class Item(NamedTuple):
    """A row of the outbox that this relay has claimed."""

    id: int
    claim: str
    order_id: str
    tracking_number: str
    milestone: str
    channel: str
    payload: dict[str, Any]
    attempts: int

    @property
    def key(self) -> str:
        """Give the identity of its message."""
        return idempotency_key(self.order_id, self.tracking_number, self.milestone, self.channel)


class Depth(NamedTuple):
    """How many rows of a channel are not sent yet, and the age of the oldest one in seconds."""

    channel: str
    rows: int
    oldest: float


class Outbox:
    """The rows in one database; each method is one transaction, for any number of threads and relays.

    Every method raises StoreError when the database is away for too long.
    """

    def __init__(self, address: str, connections: int = 4) -> None:
        """Take the address, a DSN or sqlite:///PATH, and how many connections may be held."""
        self.path = sqlite_path(address)
        self._pool = Postgres(address, (), PATIENCE, connections) if self.path is None else None
        dialect = POSTGRES if self.path is None else SQLITE
        self._sql = _Sql(dialect, skip_locked=self.path is None)

    def claim(self, channel: str, count: int, lease: float, *, once: bool) -> list[Item]:
        """Claim rows of a channel that are due, for `lease` seconds; nobody else gets them in that time.

        With `once`, a row that another relay died over is given up, since it may have been sent; else it is due again.
        """
        claim = secrets.token_hex(8)

        def work(execute: Execute) -> list[tuple[Any, ...]]:
            if once:
                execute(self._sql.give_up, ("the relay ended while it was on its way", channel))
            # A lease may run out between the two statements: what is to go out once must not be claimed over it.
            statement = self._sql.claim_fresh if once else self._sql.claim
            return execute(statement, (channel, count, claim, int(lease * SECOND)))

        rows = self._transact(work)
        return [
            Item(row[0], claim, row[1], row[2], row[3], row[4], _plain(row[5]), row[6])
            for row in sorted(rows, key=itemgetter(0))
        ]

    def begin(self, item: Item, lease: float) -> bool:
        """Note that a row goes out now; give False if it is not this relay's any more and must not."""
        begun = self._transact(lambda execute: execute(self._sql.begin, (int(lease * SECOND), item.id, item.claim)))
        return bool(begun)

    def sent(self, item: Item) -> None:
        """Note that a row was sent, whoever has claimed it since."""
        self._transact(lambda execute: execute(self._sql.sent, (item.id,)))

    def again(self, item: Item, after: float, why: str) -> None:
        """Let a row be tried again after some seconds."""
        self._transact(lambda execute: execute(self._sql.again, (int(after * SECOND), why, item.id, item.claim)))

    def dead(self, item: Item, why: str) -> None:
        """Note that a row was refused too often."""
        self._transact(lambda execute: execute(self._sql.end, (DEAD, why, item.id, item.claim)))

    def failed(self, item: Item, why: str) -> None:
        """Note that nobody knows whether a row was sent, and that it must not be sent again."""
        self._transact(lambda execute: execute(self._sql.end, (FAILED, why, item.id, item.claim)))

    def release(self, claim: str) -> None:
        """Give back the rows of a claim that have not gone out."""
        self._transact(lambda execute: execute(self._sql.release, (claim,)))

    def depth(self) -> list[Depth]:
        """Give what is not sent yet, by channel."""
        rows = self._transact(lambda execute: execute(self._sql.depth, ()))
        return [Depth(channel, rows, float(oldest) / SECOND) for channel, rows, oldest in rows]

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()

    def _transact(self, work: Callable[[Execute], Result]) -> Result:
        if self._pool is not None:
            return self._pool.patiently(lambda connection: work(_through(connection)))
        assert self.path is not None
        with writing(self.path) as file:
            return work(lambda sql, given: file.execute(sql, given).fetchall())


def _through(connection: psycopg.Connection) -> Execute:
    def execute(sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
        done = connection.execute(sql.encode(), given)
        return done.fetchall() if done.description else []

    return execute


def _plain(payload: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a payload as the database gave it: decoded by Postgres' driver, text from SQLite."""
    said: dict[str, Any] = msgspec.json.decode(payload) if isinstance(payload, str) else payload
    return said


class _Sql:
    """The statements in one dialect."""

    def __init__(self, dialect: Dialect, *, skip_locked: bool) -> None:
        mark, now = dialect.mark, dialect.now
        later = f"{now} + {mark}" + (" * interval '1 microsecond'" if dialect is POSTGRES else "")
        age = dialect.get.format("(clock_timestamp() - min(created_at))") if skip_locked else f"{now} - min(created_at)"
        self.give_up = f"""
            update outbox set state = 'failed', last_error = {mark}, leased_until = null
            where channel = {mark} and state = 'sending' and leased_until < {now}"""
        self.claim, self.claim_fresh = (
            f"""
            with due as materialized (
                select id as due_id from outbox
                where channel = {mark} and state in ({states}) and next_try_at <= {now}
                    and (leased_until is null or leased_until < {now})
                order by next_try_at, id limit {mark} {"for update skip locked" if skip_locked else ""})
            update outbox set claim = {mark}, leased_until = {later} from due where id = due_id
            returning id, order_id, tracking_number, milestone, channel, payload, attempts"""
            for states in ("'pending', 'sending'", "'pending'")
        )
        self.begin = f"""
            update outbox set state = 'sending', attempts = attempts + 1, leased_until = {later}
            where id = {mark} and claim = {mark} and state in ('pending', 'sending') and leased_until > {now}
            returning 1"""
        self.sent = f"""
            update outbox set state = 'sent', sent_at = {now}, last_error = null, leased_until = null
            where id = {mark} and state <> 'sent'"""
        self.again = f"""
            update outbox set state = 'pending', next_try_at = {later}, last_error = {mark}, leased_until = null
            where id = {mark} and claim = {mark} and state = 'sending'"""
        self.end = f"""
            update outbox set state = {mark}, last_error = {mark}, leased_until = null
            where id = {mark} and claim = {mark} and state = 'sending'"""
        self.release = f"update outbox set leased_until = null where claim = {mark} and state = 'pending'"
        self.depth = f"""
            select channel, count(*), {age} from outbox
            where state in ('pending', 'sending') group by channel order by channel"""
