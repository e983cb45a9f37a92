"""Replace what a table says of some partitions, or all it says, in one commit: readers see the old or the new."""

from collections.abc import Sequence

import pyarrow as pa
from deltalake import write_deltalake

from schemas.tables import HUB_SCANS, Table
from transforms.publish.append import COMMIT, ZSTD, with_day
from transforms.publish.lake import Lake, connect


def replace_all(lake: Lake, table: Table, rows: pa.Table) -> int:
    """Replace a whole table; give the number of its rows. The lake's write lock must be held."""
    write_deltalake(
        lake.uri(table),
        with_day(table, rows),
        mode="overwrite",
        partition_by=list(table.partition),
        name=table.name,
        writer_properties=ZSTD,
        commit_properties=COMMIT,
    )
    return int(rows.num_rows)


def replace_scans(lake: Lake, scans: pa.Table, sources: Sequence[str]) -> int:
    """Let files' scans take the place of what the same files said before; give the number of scans they hold.

    Whole partitions are rewritten, sorted, in one commit. A scan that several files hold is kept once.

    Args:
        lake: its write lock must be held.
        scans: rows of `HubScan`, all that the files say.
        sources: the names of these files, also of those that say nothing any more.
    """
    key = ", ".join(HUB_SCANS.key)
    with connect() as db:
        db.register("incoming", with_day(HUB_SCANS, scans))
        db.register("sources", pa.table({"source": list(sources)}))
        db.execute(f"create temp table present as from {lake.rows(HUB_SCANS)}")
        # Every partition that these files touch now, or touched before.
        db.execute(
            """create temp table touched as select distinct service_date, carrier from (
                select service_date, carrier from incoming
                union all select service_date, carrier from present semi join sources using (source))"""
        )
        days = [str(day) for (day,) in db.execute("select distinct service_date from touched").fetchall()]
        carriers = [name for (name,) in db.execute("select distinct carrier from touched").fetchall()]
        if not days:
            return 0
        rows = db.sql(
            f"""select distinct on ({key}) {", ".join(HUB_SCANS.schema.names)} from (
                from incoming union all by name
                (from present p anti join sources using (source)
                 where p.service_date in (select service_date from touched)
                   and p.carrier in (select carrier from touched)))
            order by service_date, carrier, tracking_number, scan_ts, code, hub, source"""
        ).to_arrow_table()
    quoted = [", ".join("'" + value.replace("'", "''") + "'" for value in values) for values in (days, carriers)]
    fresh = lake.delta(HUB_SCANS) is None
    write_deltalake(
        lake.uri(HUB_SCANS),
        rows.cast(HUB_SCANS.schema),
        mode="append" if fresh else "overwrite",
        predicate=None if fresh else f"service_date in ({quoted[0]}) and carrier in ({quoted[1]})",
        partition_by=list(HUB_SCANS.partition),
        name=HUB_SCANS.name,
        writer_properties=ZSTD,
        commit_properties=COMMIT,
    )
    return int(scans.num_rows)
