"""Revise a table: what it says of some parcels is replaced, and only the partitions in which anything changes."""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from schemas.tables import Table
from transforms.follow.in_sql import quoted
from transforms.publish.lake import Lake
from transforms.publish.partitions import Written, write_partition


class Revision(NamedTuple):
    """New files of a table, and the paths within its folder of those that they take the place of."""

    written: list[Written]
    replaced: list[str]


def revise(
    db: duckdb.DuckDBPyConnection, lake: Lake, table: Table, rows: str, before: Sequence[str], concerned: str
) -> Revision:
    """Write the partitions of a table in which rows change.

    Args:
        db: the connection that knows the rows.
        lake: where the table is.
        table: which table.
        rows: name of a relation with all rows of what is concerned, of the table's row class.
        before: files that may hold rows of what is concerned; those of a partition all together or not at all.
        concerned: SQL of a condition on the table's columns that tells what is concerned; `true` for everything.
    """
    partition = ", ".join(table.partition)
    columns = ", ".join(table.row_schema.names)
    day = f"({table.day_of})::date as {table.day}"
    held = lake.partitions(table, before)
    if concerned == "true":
        changed = {tuple(map(str, found)) for found in _distinct(db, partition, f"select *, {day} from {rows}")}
        changed |= held.keys()
    else:
        old = f"select {columns} from {lake.rows(table, list(before))} where {concerned}"
        new = f"select {columns} from {rows}"
        differing = f"({new} except {old}) union all ({old} except {new})"
        changed = {tuple(map(str, found)) for found in _distinct(db, partition, f"select *, {day} from ({differing})")}
    written, replaced = [], []
    for values in sorted(changed):
        here = " and ".join(f"{name} = {quoted(value)}" for name, value in zip(table.partition, values, strict=True))
        query = f"select {columns} from (select *, {day} from {rows}) where {here}"
        files = held.get(values, [])
        if files and concerned != "true":
            query += f" union all by name select {columns} from {lake.rows(table, files)} where not ({concerned})"
        found = write_partition(db, lake, table, query, values)
        written += [found] if found else []
        replaced += relative(lake, table, files)
    return Revision(written, replaced)


def relative(lake: Lake, table: Table, files: Sequence[str]) -> list[str]:
    """Give paths of a table's files within its folder."""
    return [file.removeprefix(f"{lake.uri(table)}/") for file in files]


def _distinct(db: duckdb.DuckDBPyConnection, columns: str, query: str) -> list[tuple[object, ...]]:
    return db.execute(f"select distinct {columns} from ({query})").fetchall()
