"""Whole partitions: files that workers write and no snapshot holds yet, and the one commit that puts them in place.

A file that was written and never committed, since its run was killed, is no part of the table; `milepost maintain`
removes it.
"""

import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

import duckdb
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from schemas.tables import Table
from transforms.follow.in_sql import quoted
from transforms.publish.append import COMMIT
from transforms.publish.lake import Lake

_OPTIONS = "format parquet, compression zstd, row_group_size 122880, return_stats"


class Written(NamedTuple):
    """A file that was written for a table.

    Attributes:
        path: within the table's folder.
        partition: value of each partition column, as text.
        rows: how many it has.
        size: in bytes.
        stats: least and greatest value and count of nulls of each column, as Delta's log has them.
    """

    path: str
    partition: dict[str, str]
    rows: int
    size: int
    stats: str


def write_partition(
    db: duckdb.DuckDBPyConnection, lake: Lake, table: Table, query: str, partition: Sequence[str]
) -> Written | None:
    """Write the rows of one partition, sorted by the table's key, as one file; None where there are none.

    Args:
        db: the connection that knows what the query asks for.
        lake: where the table is.
        table: which table.
        query: SQL of the rows, with every column of the table's row class.
        partition: value of each partition column, as text.
    """
    values = dict(zip(table.partition, partition, strict=True))
    folder = "/".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    path = f"{folder}/{uuid.uuid4()}.parquet"
    os.makedirs(f"{lake.uri(table)}/{folder}", exist_ok=True)
    columns = ", ".join(name for name in table.schema.names if name not in values)
    key = ", ".join(name for name in table.key if name not in values)
    place = quoted(f"{lake.uri(table)}/{path}")
    told = db.execute(f"copy (select {columns} from ({query}) order by {key}) to {place} ({_OPTIONS})").fetchall()
    _, rows, size, _, columns_told, *_ = told[0]
    if not rows:
        os.unlink(f"{lake.uri(table)}/{path}")
        return None
    return Written(path, values, rows, size, _stats(table, rows, columns_told))


def commit_partitions(lake: Lake, table: Table, written: Iterable[Written], replaced: Sequence[str]) -> int:
    """Put written files in the place of others in one commit; give the table's version.

    Args:
        lake: its write lock must be held.
        table: which table.
        written: the new files.
        replaced: paths within the table's folder of the files that no longer count.
    """
    uri = lake.uri(table)
    if not DeltaTable.is_deltatable(uri):
        DeltaTable.create(uri, table.schema, partition_by=list(table.partition), name=table.name)
    delta = DeltaTable(uri)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(one.path, one.size, one.partition, now, True, one.stats) for one in written
    ]
    actions += [RemoveAction(path, True, now) for path in replaced]
    if actions:
        delta.create_write_transaction(actions, "append", table.schema, list(table.partition), commit_properties=COMMIT)
        delta.update_incremental()
    return int(delta.version())


def _stats(table: Table, rows: int, told: Mapping[str, Mapping[str, str]]) -> str:
    """Give the statistics that help to leave files out: of the time that decides the day, and of the waybill."""
    least, greatest, nulls = {}, {}, {}
    for name in (table.day_of, "tracking_number"):
        column = told.get(f'"{name}"')
        if column and "min" in column:
            form = _moment if name == table.day_of else str
            least[name], greatest[name] = form(column["min"]), form(column["max"])
            nulls[name] = int(column["null_count"])
    return json.dumps({"numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls})


def _moment(text: str) -> str:
    """Give a time as Delta's log writes it."""
    return text.replace(" ", "T").removesuffix("+00") + "Z"
