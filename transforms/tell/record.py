"""Record what is known in one transaction: how parcels stand, their alerts, and what is to be told of them."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.alerts import STATES
from schemas.fields import Micros
from schemas.news import Known, Note, Told, news, withdrawn
from schemas.rows import Alert, Status
from transforms.follow.status import merge
from transforms.tell.statements import AlertRow, Statements
from transforms.watch.telling import first_identity, occurrence

Execute = Callable[[str, Sequence[Any]], Iterable[tuple[Any, ...]]]
"""Runs one statement in the transaction, and gives its rows."""

# No database takes it in text. An escaped backslash before it makes it the text of six characters that it looks like.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class Recorded(NamedTuple):
    """How many rows moved or were added."""

    statuses: int = 0
    alerts: int = 0
    notes: int = 0


def record(
    execute: Execute,
    statements: Statements,
    statuses: Collection[Status],
    alerts: Collection[Alert],
    channels: Sequence[str],
    since: Micros = 0,
) -> Recorded:
    """Record rows. All of it may be done any number of times, in any order: what is there already stays.

    Args:
        execute: runs a statement in the transaction, which the caller ends.
        statements: of the database.
        statuses: how parcels stand.
        alerts: rows in the life of alerts.
        channels: whom to tell.
        since: what happened before that time is not told any more.
    """
    moved, noted, alerted = [], 0, 0
    if statuses:
        # In the order of their keys, so that two writers never wait for each other.
        rows = [msgspec.structs.asdict(row) for row in merge(statuses)]
        moved = [Known(*row) for row in execute(statements.statuses, (_json(rows),))]
        noted = _note(execute, statements, moved, channels, since)
    if alerts:
        alerted = len(list(execute(statements.alerts, (_json([row._asdict() for row in furthest(alerts)]),))))
    return Recorded(len(moved), alerted, noted)


def furthest(alerts: Iterable[Alert]) -> list[AlertRow]:
    """Give the row of each alert that is furthest in its life; in the order of their keys."""
    best: dict[tuple[Any, ...], AlertRow] = {}
    for alert in alerts:
        row = AlertRow(
            alert.order_id,
            alert.tracking_number,
            alert.kind,
            alert.due_ts,
            first_identity(alert.alert_id),
            occurrence(alert.alert_id),
            alert.state,
            STATES.index(alert.state),
            alert.state_ts,
            alert.evidence,
        )
        held = best.get(row[:5])
        if held is None or _life(row) > _life(held):
            best[row[:5]] = row
    return [best[key] for key in sorted(best)]


def _life(row: AlertRow) -> tuple[int, int, int]:
    return row.occurrence, row.state_rank, -row.state_ts


def _note(execute: Execute, statements: Statements, moved: list[Known], channels: Sequence[str], since: Micros) -> int:
    """Write to the outbox what is news of the parcels that moved."""
    # What moved is locked now: nobody else adds to the outbox of these parcels before this transaction ends.
    tellable = [parcel for parcel in moved if channels and news(parcel, channels[:1], ())]
    if not tellable:
        return 0
    told: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in execute(statements.told, (_keys(tellable),)):
        told[row[0], row[1]].append(Told(*row))
    notes: list[Note] = []
    for parcel in tellable:
        notes += news(parcel, channels, told[parcel.order_id, parcel.tracking_number], since)
    back = [parcel for parcel in tellable if withdrawn(parcel)]
    if back:
        execute(statements.withdraw, (_keys(back),))
    if not notes:
        return 0
    return len(list(execute(statements.notes, (_json([msgspec.structs.asdict(note) for note in notes]),))))


def _keys(parcels: Iterable[Known]) -> str:
    return _json([{"order_id": one.order_id, "tracking_number": one.tracking_number} for one in parcels])


def _json(rows: list[dict[str, Any]]) -> str:
    encoded = msgspec.json.encode(rows)
    if b"\\u0000" in encoded:
        encoded = _NUL.sub(rb"\1\\ufffd", encoded)
    return encoded.decode()
