"""One definition of a row: the Arrow schema of every table follows from its class."""

import datetime
import doctest
import importlib
import pkgutil
from typing import get_type_hints

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
import transforms
from schemas.fields import DAY, Micros, arrow_schema, parse_time, to_batch, to_datetime, to_micros, to_text
from schemas.tables import TABLES

MODULES = [
    m.name for package in (schemas, transforms) for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]
FIRST, LAST = (to_datetime(parse_time(day)).replace(tzinfo=None) for day in ("2000-01-01", "2100-01-01"))
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(datetime.UTC))
SAMPLES = {Micros: 1, str: "x", bytes: b"x", int: 1, float: 1.5, bool: True, list[str]: ["x"]}


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_follows_from_its_row_class(table):
    assert table.row_schema == arrow_schema(table.row)
    assert table.row_schema.names == list(table.row.__struct_fields__)
    assert table.schema.names == [*table.row_schema.names, table.day]
    assert table.schema.field(table.day).type == pa.date32()
    hints = get_type_hints(table.row)
    assert {f.name for f in table.row_schema if f.nullable} == {
        n for n, hint in hints.items() if type(None) in getattr(hint, "__args__", ())
    }


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_table_names_columns_that_it_has(table):
    assert {*table.key, table.day_of, *table.also_by, *([table.until] if table.until else [])} <= set(
        table.row_schema.names
    )
    assert table.partition == (table.day, *table.also_by)
    for name in (table.day_of, *filter(None, [table.until])):
        assert table.schema.field(name).type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_become_a_batch_and_come_back(table):
    hints = get_type_hints(table.row, include_extras=True)
    full = [SAMPLES[h if h in SAMPLES else h.__args__[0]] for h in hints.values()]
    bare = [v if h in SAMPLES else None for v, h in zip(full, hints.values(), strict=True)]
    batch = to_batch([table.row(*full), table.row(*bare)], table.row_schema)
    assert batch.schema == table.row_schema
    batch.validate(full=True)
    whole = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in batch.columns]
    assert [[c[n].as_py() for c in whole] for n in (0, 1)] == [full, bare]
    assert to_batch([], table.row_schema).num_rows == 0


def test_a_type_that_no_table_can_hold():
    class Odd(msgspec.Struct):
        what: set[str]

    with pytest.raises(KeyError):
        arrow_schema(Odd)


@given(MOMENTS)
def test_times_are_exact(moment):
    ts = to_micros(moment)
    assert to_datetime(ts) == moment
    assert parse_time(to_text(ts)) == ts


@pytest.mark.parametrize(
    ("text", "ts"),
    [("1970-01-02", DAY), ("1970-01-01T05:30:00+05:30", 0), ("1970-01-01T00:00:00.000001Z", 1), ("1969-12-31T23:59:59Z", -1_000_000)],
)  # fmt: skip
def test_parse_time(text, ts):
    assert parse_time(text) == ts


@pytest.mark.parametrize("text", ["", "soon", "2026-03-02T09:00:00", "2026-13-01", "2026-03-02 09:00"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError):
        parse_time(text)
