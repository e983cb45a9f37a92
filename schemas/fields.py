"""Field types of a row, and the one derivation from a row class to its Arrow schema.

A row is a msgspec Struct. Its annotations are the single definition from which validation (msgspec),
the Beam coder (`schemas.coders`), the Arrow schema and the Delta table follow. Times inside Milepost are
whole microseconds since 1970 in UTC: cheap to compare, exact, and free of zones.
"""

import datetime
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa

Micros = Annotated[int, "timestamp"]
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_ARROW: dict[Any, pa.DataType] = {
    Micros: pa.timestamp("us", tz="UTC"),
    str: pa.string(),
    bytes: pa.binary(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    list[str]: pa.list_(pa.string()),
}


def to_micros(moment: datetime.datetime) -> Micros:
    """Give an aware datetime as microseconds; exact, since a float64 of seconds errs by under 0.2 µs until 2100."""
    return round(moment.timestamp() * 1e6)


def to_datetime(ts: Micros) -> datetime.datetime:
    """Give microseconds as an aware datetime in UTC."""
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=ts)


def midnight(day: datetime.date) -> Micros:
    """Give the moment at which a day begins in UTC.

    >>> midnight(datetime.date(1970, 1, 2)) == DAY
    True
    """
    return to_micros(datetime.datetime.combine(day, datetime.time(), datetime.UTC))


def to_text(ts: Micros) -> str:
    """Give microseconds as RFC 3339 text.

    >>> to_text(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return to_datetime(ts).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> Micros:
    """Give RFC 3339 text as microseconds; a bare date is its midnight in UTC.

    Raises:
        ValueError: the text is no time, or a time without a zone.
    """
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if len(text) > len("2026-01-01"):
            raise ValueError(f"{text} has no zone")
        moment = moment.replace(tzinfo=datetime.UTC)
    return to_micros(moment)


def arrow_field(name: str, hint: object) -> pa.Field:
    """Give the Arrow field of one annotated row field; `Optional[...]` makes it nullable."""
    nullable = get_origin(hint) in (Union, types.UnionType)
    if nullable:
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
    return pa.field(name, _ARROW[hint], nullable=nullable)


def arrow_schema(row: type[msgspec.Struct]) -> pa.Schema:
    """Derive the Arrow schema of a row class from its annotations.

    Raises:
        KeyError: a field has a type that no table can hold.
    """
    hints = get_type_hints(row, include_extras=True)
    return pa.schema([arrow_field(name, hints[name]) for name in row.__struct_fields__])


def to_batch(rows: Sequence[msgspec.Struct], schema: pa.Schema) -> pa.RecordBatch:
    """Turn rows of one class into an Arrow batch of that class's schema."""
    columns: Iterable[Sequence[Any]]
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True) if rows else [[] for _ in schema]
    return pa.RecordBatch.from_arrays(
        [to_array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Turn Python values into an Arrow array; times travel as whole numbers."""
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)
