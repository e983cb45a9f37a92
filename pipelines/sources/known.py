"""What a lake knows already, as lines: a run that begins without state takes it in again, and so is none the wiser.

Events that come twice change nothing; so this may be more than is needed, but never less.
"""

import time
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa
from msgspec import Struct

from schemas.events import Event, to_json
from schemas.fields import DAY, SECOND, Micros
from schemas.lines import KNOWN, LineBlock
from schemas.policy import Memory
from schemas.stages import CLOSING_STAGES
from schemas.tables import EVENTS, REJECTIONS, VISITS
from transforms.ingest.decode import decode
from transforms.ingest.validate import LATEST_PROMISE, validate
from transforms.publish.lake import Lake, connect

AT_ONCE = 10_000
"""Events in a block."""

_COLUMNS = ", ".join(
    f"epoch_us({column.name})" if pa.types.is_timestamp(column.type) else column.name for column in EVENTS.row_schema
)
_OVER = f"bool_or(stage in ({', '.join(repr(stage) for stage in sorted(CLOSING_STAGES))}))"


def known_of(lake: Lake, waybills: Iterable[str], as_of: Micros | None) -> Iterator[LineBlock]:
    """Give what a lake knows of some parcels and of those still open; nothing where it knows nothing.

    For the open ones time goes on without an event. With them come the events that found no order before.

    Args:
        lake: which.
        waybills: the parcels' tracking numbers.
        as_of: events later than that stay away.
    """
    if lake.delta(EVENTS) is None and lake.delta(REJECTIONS) is None:
        return
    with connect() as db:
        db.register("named", pa.table({"tracking_number": pa.array(sorted(set(waybills)), pa.string())}))
        latest = "true" if as_of is None else f"event_ts <= make_timestamptz({as_of})"
        db.execute(f"create temp view events as from {lake.rows(EVENTS)} where {latest}")
        db.execute(
            f"""create temp table wanted as
            from named
            union select tracking_number from events group by order_id, tracking_number having not {_OVER}
            union select tracking_number from {lake.rows(VISITS)} where not closed"""
        )
        yield from _events(db)
        waiting = _waiting(db, lake)
    yield _block(raw for raw in waiting if as_of is None or _time(raw) <= as_of)


class Recall(Struct, frozen=True):
    """What a live run begins with: all that a run with its state would still have in mind."""

    lake: str
    memory: Memory

    def version(self) -> int:
        """Give the version of the lake's events now; -1 where it has none."""
        delta = Lake(self.lake).delta(EVENTS)
        return -1 if delta is None else delta.version()

    def blocks(self, version: int, now: Micros) -> Iterator[LineBlock]:
        """Give what was known at a version, always in the same blocks.

        Args:
            version: of the table of events.
            now: what time it is: what is forgotten by now stays away.
        """
        lake = Lake(self.lake)
        delta = lake.delta(EVENTS, version) if version >= 0 else None
        if delta is None:
            return
        with connect() as db:
            # A day more, since what was forgotten depends on when somebody last looked.
            closed, silent = (
                f"make_timestamptz({now - int(kept) - DAY})" for kept in (self.memory.closed, self.memory.silent)
            )
            db.execute(f"create temp view events as from {lake.rows(EVENTS, lake.files(EVENTS, delta))}")
            db.execute(
                f"""create temp table wanted as select distinct tracking_number from (
                    select tracking_number from events group by order_id, tracking_number
                    having greatest(max(event_ts), max(promised_delivery_ts))
                        >= case when {_OVER} then {closed} else {silent} end)"""
            )
            yield from _events(db)
            yield _block(_waiting(db, lake))


def _events(db: duckdb.DuckDBPyConnection) -> Iterator[LineBlock]:
    known = db.execute(f"select {_COLUMNS} from events semi join wanted using (tracking_number) order by event_id")
    while rows := known.fetchmany(AT_ONCE):
        yield _block(to_json(Event(*row)) for row in rows)


def _waiting(db: duckdb.DuckDBPyConnection, lake: Lake) -> list[bytes]:
    return [
        raw
        for (raw,) in db.execute(
            f"select raw from {lake.rows(REJECTIONS)} where reason = 'unknown_waybill' order by rejection_id"
        ).fetchall()
    ]


def _time(line: bytes) -> Micros:
    return validate(decode(line, len(line))[0], LATEST_PROMISE).event_ts


def _block(lines: Iterable[bytes]) -> LineBlock:
    return LineBlock(KNOWN, 1, b"\n".join(lines), int(time.time() * SECOND))
