"""How parcels stand and what is to be told of them, once more: straight from the set of events, in DuckDB."""

import duckdb
import pyarrow as pa

from schemas.events import Event
from schemas.fields import to_batch
from schemas.stages import RANK
from schemas.tables import EVENTS

MILESTONES = ("picked", "packed", "labeled", "carrier_scanned", "exception", "out_for_delivery", "attempt_failed",
              "available_for_pickup")  # fmt: skip
COLUMNS = (
    "order_id", "tracking_number", "customer_id", "warehouse_id", "carrier",
    *(f"{name}_at" for name in MILESTONES), "delivered_at", "closed_at",
    "promised_delivery_ts", "latest_promised_delivery_ts", "current_stage", "current_rank",
)  # fmt: skip
"""Of order_fulfillment_live, as far as the events alone tell them."""


def expected(events: list[Event]) -> tuple[set[tuple], set[tuple]]:
    """Give the rows of order_fulfillment_live (times in microseconds) and the keys of the outbox without channel."""
    db = duckdb.connect()
    db.register("told", pa.Table.from_batches([to_batch(events, EVENTS.row_schema)]))
    ranks = " ".join(f"when '{stage}' then {rank}" for stage, rank in RANK.items())
    db.execute(f"""create view events as select distinct on (event_id) *,
        case stage {ranks} end as rank, (epoch_us(event_ts), event_id) as place from told""")
    firsts = ", ".join(f"min(epoch_us(event_ts)) filter (stage = '{name}') as {name}_at" for name in MILESTONES)

    def first(name: str, value: str | None = None, how: str = "arg_min") -> str:
        return f"{how}({value or name}, place) filter ({name} is not null)"

    rows = db.execute(f"""
        with folded as (
            select order_id, tracking_number, {first("customer_id")} as customer_id,
                {first("warehouse_id")} as warehouse_id, {first("carrier")} as carrier, {firsts},
                min(epoch_us(event_ts)) filter (stage = 'delivered') as delivered,
                min(epoch_us(event_ts)) filter (stage in ('return_started', 'returned')) as returned,
                min(epoch_us(event_ts)) filter (stage in
                    ('cancelled', 'failed', 'lost', 'delivered', 'return_started', 'returned')) as closed_at,
                {first("promised_delivery_ts", "epoch_us(promised_delivery_ts)")} as promised_delivery_ts,
                {first("promised_delivery_ts", "epoch_us(promised_delivery_ts)", "arg_max")}
                    as latest_promised_delivery_ts,
                arg_max(stage, rank) as current_stage, max(rank) as current_rank
            from events group by all)
        select {", ".join(COLUMNS)}, delivered
        from (select *, case when returned < delivered then null else delivered end as delivered_at from folded)
        """).fetchall()
    news = {"shipped": "carrier_scanned_at", "exception": "exception_at", "out_for_delivery": "out_for_delivery_at",
            "attempt_failed": "attempt_failed_at"}  # fmt: skip
    told = {
        (row[0], row[1], milestone)
        for row in rows
        for milestone, column in news.items()
        if row[COLUMNS.index(column)] is not None
    } | {(row[0], row[1], "delivered") for row in rows if row[-1] is not None}
    return {row[:-1] for row in rows}, told
