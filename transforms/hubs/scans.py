"""Write the scans of a partition anew: what was there, without what corrected files said before, and what they say now.

A scan that several files hold is one row, which names them all; so it stays as long as one of them holds it.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import duckdb

from schemas.tables import HUB_SCANS
from transforms.follow.in_sql import quoted
from transforms.hubs.stage import PIECE, Partition, read_staged
from transforms.publish.lake import Lake
from transforms.publish.partitions import Written, write_partition

_COLUMNS = "tracking_number, scan_ts, code, hub, stage, reason"
_SAME = "tracking_number, scan_ts, code, hub"


class Piece(NamedTuple):
    """Scans of one file that belong to one partition: the file's place, and where they lie."""

    file: str
    path: str


def write_scans(
    db: duckdb.DuckDBPyConnection,
    lake: Lake,
    partition: Partition,
    before: list[str],
    pieces: Iterable[Piece],
    corrected: Collection[str],
    touched: Path,
) -> Written | None:
    """Write a partition of scans, and lay aside which waybills changed.

    Args:
        db: a connection; what it leaves there the next partition replaces.
        lake: where the table is.
        partition: which one.
        before: paths of the files that hold the partition now.
        pieces: what tonight's files say of it.
        corrected: places of the files that are taken tonight: what they said before does not count any more.
        touched: file to write the numbers of the waybills to that have scans more or fewer than before, or the same.

    Returns:
        The file, or None where nothing is left of the partition.
    """
    said = []
    for number, piece in enumerate(pieces):
        db.register(f"piece_{number}", read_staged(piece.path).select([*PIECE.names][1:]))
        said.append(f"select {_COLUMNS}, {quoted(piece.file)} as source from piece_{number}")
    db.execute(f"create or replace temp view said as {' union all '.join(said) or _NOTHING}")
    doubtful = f"[{', '.join(map(quoted, sorted(corrected)))}]::varchar[]"
    # The few rows that a corrected file held are parted from the many that are copied as they are.
    db.execute(
        f"""create or replace temp view held as
        select *, list_has_any(string_split(source, '|'), {doubtful}) as doubtful
        from {lake.rows(HUB_SCANS, before) if before else f"({_NOTHING})"}"""
    )
    db.execute(
        f"""copy (
            select distinct tracking_number from said
            union select tracking_number from held where doubtful
        ) to {quoted(str(touched))} (format parquet)"""
    )
    db.execute(
        f"""create or replace temp view evidence as
        select {_COLUMNS}, source from said
        union all by name select {_COLUMNS}, source from held where not doubtful
        union all by name select {_COLUMNS}, unnest(list_filter(string_split(source, '|'),
            lambda place: not list_contains({doubtful}, place))) as source
        from held where doubtful"""
    )
    db.execute(
        f"""create or replace temp table twice as
            select hash({_SAME}) as same from evidence group by all having count(*) > 1"""
    )
    return write_partition(
        db,
        lake,
        HUB_SCANS,
        f"""select {_COLUMNS}, source from evidence anti join twice on hash({_SAME}) = same
        union all by name
        select {_SAME}, arg_max(stage, source) as stage, arg_max_null(reason, source) as reason,
            array_to_string(list_sort(list_distinct(flatten(list(string_split(source, '|'))))), '|') as source
        from evidence semi join twice on hash({_SAME}) = same group by {_SAME}""",
        partition,
    )


_NOTHING = (
    "select ''::varchar as tracking_number, null::timestamptz as scan_ts, ''::varchar as code, ''::varchar as hub,"
    " ''::varchar as stage, ''::varchar as reason, ''::varchar as source where false"
)
