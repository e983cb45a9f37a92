"""Rows for the lake's tables, and what the lake has of them."""

import pyarrow as pa
from deltalake import DeltaTable

from schemas.alerts import cleared, raised, retracted
from schemas.fields import to_batch
from schemas.night import Night
from schemas.rows import Rejection
from schemas.tables import NIGHTLY
from tests.builders import at, event, visit
from transforms.publish.append import append
from transforms.publish.lake import Lake, connect
from transforms.publish.nights import finish
from transforms.visits.bursts import visit_id


def table_of(table, rows):
    """Give rows as a table of the table's row class."""
    return pa.Table.from_batches([to_batch(rows, table.row_schema)])


def add(lake: Lake, table, rows) -> int:
    """Append rows under the lake's lock."""
    with lake.writing():
        added = append(lake, table, table_of(table, rows))
        reveal(lake)
        return added


def reveal(lake: Lake) -> None:
    """Let readers see the nightly tables as they stand, as the end of a night does."""
    tables = [table for table in NIGHTLY if DeltaTable.is_deltatable(lake.uri(table))]
    finish(lake, Night({table.name: DeltaTable(lake.uri(table)).version() for table in tables}))


def held(lake: Lake, table) -> list[tuple]:
    """Give all rows of a table but its partition day, sorted."""
    with connect() as db:
        columns = ", ".join(table.schema.names[:-1])
        return sorted(db.execute(f"select {columns} from {lake.rows(table)}").fetchall(), key=repr)


def scans(count: int, *, first: int = 0) -> list:
    """Give events of as many parcels, over some days."""
    return [event("in_transit", f"{n % 5}d 09:00", f"o{n}", f"t{n}") for n in range(first, first + count)]


def rejected(number: int, day: int = 0) -> Rejection:
    """Give a rejection found on a day."""
    return Rejection(f"r{number}", "wrong_type", "", b"raw", 3, "file", number + 1, at("09:00", day))


def whole(start: str, end: str, events: int, *, closed: bool = True, **said):
    """Give a whole visit, named."""
    one = visit(start, end, events=events, closed=closed, **said)
    one.visit_id = visit_id(one)
    return one


UP = raised("o1", "t1", "sla_breached", at("18:00"), "promised")
LATE = cleared(UP, at("22:00"), "delivered")
SOON = cleared(UP, at("20:00"), "delivered")
NEVER = retracted(UP, at("23:00"))
