"""The SQL by which the desk reads and writes, in one dialect. No word of anybody's gets into it but as a parameter."""

import typing
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from schemas.fields import Micros
from services.desk.choice import NONE, Choice
from services.desk.rows import AlertState, HandlingStep, NewsSent, OpenAlert, Parcel
from services.desk.source import MOST_PARCELS
from services.desk.steps import Step
from transforms.tell.statements import Dialect


class Statement(NamedTuple):
    """SQL, and what stands for its marks."""

    sql: str
    given: tuple[Any, ...] = ()


class Questions:
    """What is read from the view `desk_queue` and the tables beside it."""

    def __init__(self, dialect: Dialect) -> None:
        """Take the dialect."""
        self.dialect = dialect
        self.now = Statement(f"select {dialect.get.format(f'({dialect.now})')}")

    def page(self, choice: Choice, size: int, now: Micros) -> Statement:
        """Ask for one page; it begins where the one before ended, however many lie before it."""
        where, given = self._where(choice, now)
        newest = choice.sort == "newest"
        if choice.begins_after is not None:
            where.append(f"(due_ts, alert_id) {'<' if newest else '>'} ({self._time()}, {self.dialect.mark})")
            given += choice.begins_after
        way = "desc" if newest else "asc"
        return Statement(
            f"select {self._columns(OpenAlert)} from desk_queue where {' and '.join(where)}"
            f" order by due_ts {way}, alert_id {way} limit {self.dialect.mark}",
            (*given, size),
        )

    def count(self, choice: Choice, now: Micros) -> Statement:
        """Ask how many alerts a choice has."""
        where, given = self._where(choice, now)
        return Statement(f"select count(*) from desk_queue where {' and '.join(where)}", tuple(given))

    def shares(self) -> Statement:
        """Ask how the open alerts divide."""
        columns = "kind, carrier, warehouse_id, acknowledged_at is not null, assignee"
        return Statement(f"select {columns}, count(*) from desk_queue group by {columns}")

    def queue_mark(self) -> Statement:
        """Ask for what changes with the queue: sums, so that what is committed late is not overlooked."""
        parts = [
            f"coalesce(sum({self.dialect.get.format(column)} & 2147483647), 0)" for column in ("check_ts", "handled_at")
        ]
        return Statement(f"select count(*), count(handled_at), {', '.join(parts)} from desk_queue")

    def parcels(self, tracking_number: str) -> Statement:
        """Ask for the parcels that have a tracking number."""
        return self._parcels("tracking_number", tracking_number)

    def order(self, order_id: str) -> Statement:
        """Ask for the parcels of an order."""
        return self._parcels("order_id", order_id)

    def open_kinds(self, order_id: str, tracking_number: str) -> Statement:
        """Ask for the kinds of a parcel's open alerts."""
        mark = self.dialect.mark
        return Statement(
            f"select distinct kind from desk_queue where order_id = {mark} and tracking_number = {mark}",
            (order_id, tracking_number),
        )

    def alerts(self, order_id: str) -> Statement:
        """Ask for the alerts of an order, open or not."""
        return Statement(
            f"select {self._columns(AlertState)} from sla_alerts where order_id = {self.dialect.mark}"
            " order by due_ts, kind, alert_id",
            (order_id,),
        )

    def steps(self, order_id: str) -> Statement:
        """Ask for what people did about the alerts of an order."""
        return Statement(
            f"select {self._columns(HandlingStep)} from alert_steps where alert_id in"
            f" (select alert_id from sla_alerts where order_id = {self.dialect.mark}) order by id",
            (order_id,),
        )

    def news(self, order_id: str) -> Statement:
        """Ask for the messages about an order."""
        return Statement(
            f"select {self._columns(NewsSent)} from outbox where order_id = {self.dialect.mark} order by id",
            (order_id,),
        )

    def parcel_marks(self, keys: str) -> Statement:
        """Ask, for parcels as a JSON array, for what changes with them and their alerts."""
        named = self.dialect.rows({"order_id": "text", "tracking_number": "text"})
        stamp, check = (self.dialect.get.format(name) for name in ("p.updated_at", "check_ts"))
        return Statement(
            f"""select p.order_id, p.tracking_number, {stamp},
                    (select coalesce(sum({check} & 2147483647), 0) from sla_alerts as a
                        where a.order_id = p.order_id and a.tracking_number = p.tracking_number)
                from {named} join order_fulfillment_live as p
                    on p.order_id = given.order_id and p.tracking_number = given.tracking_number""",
            (keys,),
        )

    def _parcels(self, column: str, value: str) -> Statement:
        # A waybill that was used again: the youngest parcel is the one that people ask about.
        return Statement(
            f"select {self._columns(Parcel)} from order_fulfillment_live where {column} = {self.dialect.mark}"
            f" order by updated_at desc, order_id, tracking_number limit {MOST_PARCELS}",
            (value,),
        )

    def _where(self, choice: Choice, now: Micros) -> tuple[list[str], list[Any]]:
        mark = self.dialect.mark
        where, given = ["true"], list[Any]()
        if choice.kind:
            where.append(f"kind = {mark}")
            given.append(choice.kind)
        chosen = {"carrier": choice.carrier, "warehouse_id": choice.warehouse, "assignee": choice.assignee}
        for column, word in chosen.items():
            if word == NONE:
                where.append(f"{column} is null")
            elif word:
                where.append(f"{column} = {mark}")
                given.append(word)
        if choice.state:
            where.append(f"acknowledged_at is {'not ' if choice.state == 'acknowledged' else ''}null")
        if choice.longer_than:
            where.append(f"due_ts <= {self._time()}")
            given.append(now - choice.longer_than)
        if choice.q:
            # No pattern, so that no letter of it means anything.
            starts = [f"substr({column}, 1, {mark}) = {mark}" for column in ("order_id", "tracking_number")]
            where.append(f"({' or '.join(starts)})")
            given += [len(choice.q), choice.q] * 2
        return where, given

    def _time(self) -> str:
        return self.dialect.put.format(self.dialect.mark)

    def _columns(self, row: type) -> str:
        hints = typing.get_type_hints(row, include_extras=True)
        return ", ".join(
            self.dialect.get.format(name) if hint in (Micros, Optional[Micros]) else name
            for name, hint in hints.items()
        )


class Writes:
    """What a step writes: how alerts are handled now, and the step itself."""

    def __init__(self, dialect: Dialect) -> None:
        """Take the dialect."""
        self.dialect = dialect

    def hold(self, alerts: str) -> Statement:
        """Make sure that each open alert of a JSON array has a row that tells how it is handled."""
        return Statement(
            f"insert into alert_handling (alert_id, occurrence) {self._open()} order by alert_id"
            " on conflict (alert_id, occurrence) do nothing",
            (alerts,),
        )

    def handle(self, step: Step, alerts: str) -> Statement:
        """Write how alerts, a JSON array, are handled; gives id and occurrence of each that this changes."""
        mark, now = self.dialect.mark, self.dialect.now
        hands = f"assignee = {mark}, assigned_by = {mark}, assigned_at = {now}, "
        kinds: dict[str, tuple[str, str, tuple[str | None, ...]]] = {
            "acknowledge": (
                f"acknowledged_by = {mark}, acknowledged_at = {now}, ", "acknowledged_at is null", (step.who,)
            ),
            "reopen": ("acknowledged_by = null, acknowledged_at = null, ", "acknowledged_at is not null", ()),
            "take": (hands, "assignee is null", (step.assignee, step.who)),
            "assign": (hands, f"assignee is distinct from {mark}", (step.assignee, step.who, step.assignee)),
            "note": ("", "true", ()),
        }  # fmt: skip
        changes, guard, given = kinds[step.step]
        return Statement(
            f"""update alert_handling set {changes}updated_at = {now}
                where {guard} and (alert_id, occurrence) in ({self._open()}) returning alert_id, occurrence""",
            (*given, alerts),
        )

    def keep(self, step: Step, alerts: str) -> Statement:
        """Write down a step about alerts, a JSON array of ids and occurrences."""
        mark = self.dialect.mark
        return Statement(
            f"""insert into alert_steps (alert_id, occurrence, step, who, assignee, note)
                select alert_id, occurrence, {", ".join([mark] * 4)} from {self._rows()} order by alert_id""",
            (step.step, step.who, step.assignee, step.note, alerts),
        )

    def _open(self) -> str:
        named = self.dialect.rows({"alert_id": "text"})
        return f"select alert_id, occurrence from {named} join sla_alerts using (alert_id) where state = 'raised'"

    def _rows(self) -> str:
        return self.dialect.rows({"alert_id": "text", "occurrence": "integer"})


def rows_of(kind: Any, rows: Sequence[Sequence[Any]]) -> list[Any]:  # noqa: ANN401
    """Give rows as a named tuple has them."""
    return [kind(*row) for row in rows]
