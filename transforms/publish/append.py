"""Append to a table only what it lacks: the step that makes any replay harmless.

A row whose key the table already holds is dropped; a row that supersedes older ones takes their place in the same
commit. Only files whose partition can hold an equal key or a superseded row are looked at.
"""

import datetime

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, WriterProperties, write_deltalake

from schemas.tables import Table
from transforms.publish.lake import Lake, connect

ZSTD = WriterProperties(compression="ZSTD", compression_level=3)
COMMIT = CommitProperties(max_commit_retries=30)


def with_day(table: Table, rows: pa.Table) -> pa.Table:
    """Add the partition day (UTC) to rows of a table's row class."""
    day = rows[table.day_of].cast(pa.date32())
    return pa.table([*rows.columns, day], schema=table.schema)


def append(lake: Lake, table: Table, rows: pa.Table) -> int:
    """Add the rows that the table lacks, in one commit; give how many were added.

    Args:
        lake: where the table is; its write lock must be held.
        table: which table.
        rows: rows of the table's row class, in any order, with any repetition.
    """
    if rows.num_rows == 0:
        return 0
    delta = lake.delta(table)
    incoming = with_day(table, rows)
    with connect() as db:
        db.register("incoming", incoming)
        files = _candidates(lake, table, delta, *_span(db, table)) if delta else []
        if table.supersedes == "false":
            lacking = _lacking(db, table, incoming.num_rows, lake.rows(table, files))
            fresh = incoming.take(lacking) if len(lacking) < incoming.num_rows else incoming
            if fresh.num_rows:
                _write(lake, table, fresh)
            return int(fresh.num_rows)
        # Loaded once: it is asked several times below.
        db.execute(f"create temp table present as from {lake.rows(table, files)}")
        _judge(db, table)
        fresh = _fetch(db, table, "from fresh")
        superseded_days = db.execute(f"select distinct {table.day} from superseded").fetchall()
        if superseded_days:
            _rewrite(lake, table, db, [day for (day,) in superseded_days])
        elif fresh.num_rows:
            _write(lake, table, fresh)
        return int(fresh.num_rows)


def _lacking(db: duckdb.DuckDBPyConnection, table: Table, rows: int, present: str) -> pa.ChunkedArray:
    """Give the places of the incoming rows that the table lacks, the first of each key. Only keys are looked at."""
    key = ", ".join(table.key)
    db.register("places", pa.table({"place": pa.array(range(rows), pa.int64())}))
    found = db.sql(
        f"""select min(place) as place from (select {key} from incoming) n positional join places
            anti join {present} o using ({key}) group by {key} order by place"""
    )
    return found.to_arrow_table()["place"]


def _span(db: duckdb.DuckDBPyConnection, table: Table) -> tuple[datetime.date, datetime.date, set[datetime.date]]:
    last = f"max(({table.until or table.day_of})::date)"
    first, until, days = db.execute(
        f"select min({table.day}), greatest(max({table.day}), {last}), list(distinct {table.day}) from incoming"
    ).fetchall()[0]
    return first, until, set(days)


def _candidates(
    lake: Lake, table: Table, delta: DeltaTable, first: datetime.date, last: datetime.date, days: set[datetime.date]
) -> list[str]:
    """Give the files that may hold an equal key, or a row that one of these supersedes or is superseded by."""
    if not table.day_in_key:
        return lake.files(table, delta)
    if table.until:
        # A visit that holds one of these may have begun before it: sessions rarely last a month.
        span = range((last - first).days + 31)
        days = {last - datetime.timedelta(days=back) for back in span}
    return lake.files(table, delta, {day.isoformat() for day in days})


def _judge(db: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Split into `fresh` rows to add and `superseded` rows to take away."""
    same = " and ".join(f"o.{column} = n.{column}" for column in table.key)
    newer = table.supersedes.format(old="o", new="n")
    older = table.supersedes.format(old="n", new="o")
    key = ", ".join(table.key)
    order = f"order by {table.until or table.day_of} desc" if table.until else ""
    db.execute(
        f"""create temp table once as select distinct on ({key}) * from incoming n
            where not exists (from incoming o where {older}) {order}"""
    )
    db.execute(f"create temp table peers as from present o semi join once n on {_peer(table)}")
    db.execute(
        f"""create temp table fresh as from once n where not exists (
            from peers o where ({same} and not ({newer})) or ({older}))
            and not exists (from once o where {older})"""
    )
    db.execute(f"create temp table superseded as from peers o where exists (from fresh n where {newer})")


def _peer(table: Table) -> str:
    """Give the SQL of the rows that could concern each other at all; an equality, so that the join stays cheap."""
    columns = ("order_id", "tracking_number") if table.until else table.key
    return " and ".join(f"o.{column} = n.{column}" for column in columns)


def _rewrite(lake: Lake, table: Table, db: duckdb.DuckDBPyConnection, days: list[datetime.date]) -> None:
    """Replace the days that hold superseded rows, and those of the rows that take their place, in one commit.

    Rows of other days follow in a second commit; they have nothing to do with the first.
    """
    newer = table.supersedes.format(old="o", new="n")
    days += [
        day
        for (day,) in db.execute(
            f"select distinct n.{table.day} from fresh n where exists (from superseded o where {newer})"
        ).fetchall()
    ]
    touched = ", ".join(f"'{day.isoformat()}'" for day in sorted(set(days)))
    whole = lake.rows(table)
    same = " and ".join(f"k.{column} = s.{column}" for column in table.key)
    kept = _fetch(
        db,
        table,
        f"""from {whole} k anti join superseded s on {same} where {table.day} in ({touched})
            union all by name from fresh where {table.day} in ({touched})""",
    )
    write_deltalake(
        lake.uri(table),
        kept,
        mode="overwrite",
        predicate=f"{table.day} in ({touched})",
        writer_properties=ZSTD,
        commit_properties=COMMIT,
    )
    rest = _fetch(db, table, f"from fresh where {table.day} not in ({touched})")
    if rest.num_rows:
        _write(lake, table, rest)


def _fetch(db: duckdb.DuckDBPyConnection, table: Table, query: str) -> pa.Table:
    names = ", ".join(table.schema.names)
    return db.sql(f"select {names} from ({query})").to_arrow_table().cast(table.schema)


def _write(lake: Lake, table: Table, rows: pa.Table) -> None:
    write_deltalake(
        lake.uri(table),
        rows,
        mode="append",
        partition_by=list(table.partition),
        name=table.name,
        writer_properties=ZSTD,
        commit_properties=COMMIT,
    )
