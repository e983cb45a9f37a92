"""The SQL of the tables that operations read, for Postgres and for SQLite: guarded, so that rows only move forward.

A batch of rows travels as one JSON document, and a statement handles all of it.
"""

import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.fields import Micros
from schemas.news import Known, Note, Told
from schemas.rows import Status
from transforms.follow.status import GROUPS


class Dialect(NamedTuple):
    """What differs between two databases.

    Attributes:
        mark: stands for a parameter.
        rows: gives SQL of rows out of a JSON array of objects.
        put: SQL that makes a time of microseconds.
        get: SQL that makes microseconds of a time.
        now: SQL of the time.
    """

    mark: str
    rows: typing.Callable[[Mapping[str, str]], str]
    put: str
    get: str
    now: str


def _postgres_rows(columns: Mapping[str, str]) -> str:
    return f"json_to_recordset(%s::json) as given({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


def _sqlite_rows(columns: Mapping[str, str]) -> str:
    return f"(select {', '.join(f'value ->> {name!r} as {name}' for name in columns)} from json_each(?)) as given"


POSTGRES = Dialect(
    "%s",
    _postgres_rows,
    "timestamptz 'epoch' + {} * interval '1 microsecond'",
    "(extract(epoch from {}) * 1000000)::bigint",
    "clock_timestamp()",
)
SQLITE = Dialect("?", _sqlite_rows, "{}", "{}", "cast((julianday('now') - 2440587.5) * 86400e6 as integer)")

KEY = ("order_id", "tracking_number")


class AlertRow(NamedTuple):
    """An alert as its table has it: `alert_id` is that of its first occurrence."""

    order_id: str
    tracking_number: str
    kind: str
    due_ts: Micros
    alert_id: str
    occurrence: int
    state: str
    state_rank: int
    state_ts: Micros
    evidence: str


class Statements:
    """The statements in one dialect. Each takes one parameter, a JSON array of objects."""

    def __init__(self, dialect: Dialect) -> None:
        """Write them."""
        self.dialect = dialect
        self.statuses = self._statuses()
        """Upsert; gives `Known` of each row that moved."""
        self.alerts = self._alerts()
        """Upsert; gives one row for each alert that moved."""
        self.told = self._told()
        """Give `Told` of all that the outbox has of the parcels."""
        self.notes = self._notes()
        """Add to the outbox what it lacks; gives one row for each that it took."""
        self.withdraw = f"""
            update outbox set state = 'stale' where milestone = 'delivered' and state = 'pending' and exists (
                select 1 from {dialect.rows(_columns(Known, KEY))}
                where outbox.order_id = given.order_id and outbox.tracking_number = given.tracking_number)"""
        """Take back what the parcels' outbox says of a delivery, as far as it is not on its way."""

    def _statuses(self) -> str:
        merged = []
        forward = []
        for group, last in GROUPS:
            mine, theirs = (", ".join(f"{of}.{name}" for name in group) for of in ("held", "excluded"))
            first = group[0]
            wins = f"excluded.{first} is not null and (held.{first} is null or ({theirs}) {'><'[not last]} ({mine}))"
            forward.append(f"({wins})")
            merged += [f"{name} = case when {wins} then excluded.{name} else held.{name} end" for name in group]
        columns = _columns(Status)
        return f"""
            insert into order_fulfillment_live as held ({", ".join(columns)})
            select {self._given(columns)} from {self.dialect.rows(columns)} where true
            on conflict (order_id, tracking_number) do update
            set {", ".join(merged)}, updated_at = {self.dialect.now}
            where {" or ".join(forward)}
            returning {self._taken(_columns(Known))}"""

    def _alerts(self) -> str:
        columns = _columns(AlertRow)
        moved = ("alert_id", "occurrence", "state", "state_rank", "state_ts", "evidence")
        # Of two times at which an alert was cleared the earlier one is true.
        return f"""
            insert into sla_alerts as held ({", ".join(columns)})
            select {self._given(columns)} from {self.dialect.rows(columns)} where true
            on conflict (order_id, tracking_number, kind, due_ts, alert_id) do update
            set {", ".join(f"{name} = excluded.{name}" for name in moved)}, check_ts = {self.dialect.now}
            where (excluded.occurrence, excluded.state_rank, held.state_ts)
                > (held.occurrence, held.state_rank, excluded.state_ts)
            returning 1"""

    def _told(self) -> str:
        taken = self._taken({f"outbox.{name}": kind for name, kind in _columns(Told).items()})
        return f"""
            select {taken} from {self.dialect.rows(_columns(Known, KEY))}
            join outbox on outbox.order_id = given.order_id and outbox.tracking_number = given.tracking_number"""

    def _notes(self) -> str:
        columns = _columns(Note)
        return f"""
            insert into outbox ({", ".join(columns)})
            select {self._given(columns)} from {self.dialect.rows(columns)} where true
            on conflict (order_id, tracking_number, milestone, channel) do nothing
            returning 1"""

    def _given(self, columns: Mapping[str, str]) -> str:
        return ", ".join(self.dialect.put.format(name) if kind == _TIME else name for name, kind in columns.items())

    def _taken(self, columns: Mapping[str, str]) -> str:
        return ", ".join(self.dialect.get.format(name) if kind == _TIME else name for name, kind in columns.items())


_TIME = "bigint"
_KINDS: dict[Any, str] = {str: "text", Micros: _TIME, int: "integer", dict[str, Any]: "jsonb"}


def _columns(row: type, only: Iterable[str] | None = None) -> dict[str, str]:
    """Give the columns of a row class with their types in a JSON document; only times are `bigint`."""
    hints = typing.get_type_hints(row, include_extras=True)
    return {name: _KINDS[_plain(hints[name])] for name in only or hints}


def _plain(hint: Any) -> Any:  # noqa: ANN401
    if typing.get_origin(hint) is typing.Union:
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    return hint
