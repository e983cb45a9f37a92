"""The oracle: what the rules of the journey say of a set of events, in SQL, from the set alone.

It shares nothing with the rules it checks but the vocabulary's names: window functions and aggregates over a table of
clean events, where Milepost folds, keeps state and sets timers.
"""

import duckdb
import pyarrow as pa

from schemas.events import Event
from schemas.fields import Micros, to_batch
from schemas.tables import EVENTS
from transforms.publish.lake import connect

CLOSING = "('cancelled', 'failed', 'lost', 'delivered', 'return_started', 'returned')"
CARRIER = """('carrier_scanned', 'in_transit', 'hub_in', 'hub_out', 'exception', 'out_for_delivery', 'attempt_failed',
    'available_for_pickup', 'failed', 'lost', 'delivered', 'return_started', 'returned')"""
BEYOND = {
    "packed": """('packed', 'labeled', 'carrier_scanned', 'in_transit', 'hub_in', 'hub_out', 'out_for_delivery',
        'attempt_failed', 'available_for_pickup')""",
    "scanned": """('carrier_scanned', 'in_transit', 'hub_in', 'hub_out', 'out_for_delivery', 'attempt_failed',
        'available_for_pickup')""",
    "attempted": "('attempt_failed', 'available_for_pickup')",
}

_PARCELS = f"""create table parcels as select order_id, tracking_number,
    min(event_ts) filter (stage = 'picked') as picked,
    min(event_ts) filter (stage = 'labeled') as labeled,
    min(event_ts) filter (stage = 'out_for_delivery') as ofd,
    min(event_ts) filter (stage in {CLOSING}) as closed,
    min(event_ts) filter (stage in {BEYOND["packed"]} or stage in {CLOSING}) as packed,
    min(event_ts) filter (stage in {BEYOND["scanned"]} or stage in {CLOSING}) as scanned,
    min(event_ts) filter (stage in {BEYOND["attempted"]} or stage in {CLOSING}) as attempted,
    first(promised_delivery_ts order by event_ts, event_id) filter (promised_delivery_ts is not null) as promise,
    max(declared_value) as value
    from events group by all"""

_SCANS = f"""create table visits as
    with scans as (
        select order_id, tracking_number, event_ts, hub, stage,
            event_ts >= lag(event_ts) over w + interval 12 hours as later
        from events semi join (from parcels where value >= 500) using (order_id, tracking_number)
        where stage in {CARRIER} window w as (partition by order_id, tracking_number order by event_ts, event_id)),
    numbered as (select *, sum(coalesce(later, false)::int) over
        (partition by order_id, tracking_number order by event_ts rows unbounded preceding) as visit from scans)
    select order_id, tracking_number, min(event_ts) as start_ts, max(event_ts) as end_ts, count(*) as events,
        coalesce(list_sort(list_distinct(list(hub) filter (hub is not null))), []) as hubs,
        min(event_ts) filter (stage in {CLOSING}) as ended_ts,
        max(event_ts) + interval 12 hours <= horizon() as past
    from numbered group by order_id, tracking_number, visit"""

_AWAITED = """create table awaited as
    select order_id, tracking_number, 'pick_pack_delay' as kind, picked + interval 30 minutes as due_ts, packed as ended
        from parcels
    union all select order_id, tracking_number, 'label_scan_delay', labeled + interval 2 hours, scanned from parcels
    union all select order_id, tracking_number, 'last_mile_delay', ofd + interval 12 hours, attempted from parcels
    union all select order_id, tracking_number, 'sla_at_risk', promise - interval 4 hours, closed from parcels
    union all select order_id, tracking_number, 'sla_breached', promise, closed from parcels
    union all select distinct order_id, tracking_number, stage || '', event_ts, closed
        from (select distinct order_id, tracking_number, stage, event_ts, coalesce(reason, '') as reason from events
              where stage in ('exception', 'attempt_failed')) join parcels using (order_id, tracking_number)
    union all select order_id, tracking_number, 'silent_high_value', end_ts + interval 12 hours, least(closed, resumed)
        from (select *, lead(start_ts) over (partition by order_id, tracking_number order by start_ts) as resumed
              from visits)
        join (select order_id, tracking_number, closed from parcels) using (order_id, tracking_number)
        where closed is null or closed > end_ts"""


class Oracle:
    """Answers for one set of events and one horizon; each answer is a sorted list of rows."""

    def __init__(self, events: list[Event], horizon: Micros) -> None:
        """Take clean events, each once, and the horizon."""
        self.db: duckdb.DuckDBPyConnection = connect()
        self.db.register("given", pa.Table.from_batches([to_batch(events, EVENTS.row_schema)]))
        self.db.execute("create table events as from given")
        self.db.execute(f"create macro horizon() as make_timestamptz({horizon})")
        self.db.execute(_PARCELS)
        self.db.execute(_SCANS)
        self.db.execute(_AWAITED)

    def ask(self, query: str) -> list[tuple]:
        """Give the rows of a query, sorted as text."""
        return sorted(self.db.execute(query).fetchall(), key=repr)

    def milestones(self) -> list[tuple]:
        """Give every stage reached with each of its times."""
        return self.ask("select distinct order_id, tracking_number, stage, event_ts from events")

    def first_milestones(self) -> list[tuple]:
        """Give the earliest time of each stage."""
        return self.ask("select order_id, tracking_number, stage, min(event_ts) from events group by all")

    def alerts(self) -> list[tuple]:
        """Give the current alerts: what was not there by its due time."""
        return self.ask(
            """select order_id, tracking_number, kind, due_ts, if(ended is null, 'raised', 'cleared'),
                coalesce(ended, due_ts) from awaited
                where due_ts <= horizon() and (ended is null or ended > due_ts)"""
        )

    def visits(self) -> list[tuple]:
        """Give the visits."""
        return self.ask("from visits")
