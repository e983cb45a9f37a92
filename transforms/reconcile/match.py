"""Match a carrier's scans with what came live of its parcels: findings, and the scans to take as events.

Works on a connection that has the relations `scans` (of hub_scans), `covered` (of all its scans), `waybills` and
`sightings` (of `evidence`, only what came live), and leaves `owned`, `fed`, `ends` and `findings` on it.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from schemas.stages import CLOSING_STAGES, CRITICAL_STAGES, RANK
from transforms.follow.in_sql import fed_id, quoted
from transforms.reconcile.compare import Difference, compare
from transforms.reconcile.scope import Scope

_FINAL = ("delivered", "returned", "lost", "cancelled", "failed")

_OWNED = """
create temp table owned as
select s.tracking_number, w.order_id, s.scan_ts, s.stage
from scans s
left join waybills w on s.tracking_number = w.tracking_number and s.scan_ts >= w.from_ts and s.scan_ts < w.until_ts
"""

_SIDES = """
create temp table told as
select order_id, tracking_number, stage, event_ts as ts from sightings where stage in {critical} group by all;
create temp table filed as
select order_id, tracking_number, stage, scan_ts as ts
from owned
where order_id is not null and stage in {critical} and scan_ts <= {horizon}
group by all
"""

# Most milestones agree at a glance; the others are looked at one by one.
_DOUBTS = """
with one as (select order_id, tracking_number, stage, count(*) as times, min(ts) as ts from told group by all),
other as (select order_id, tracking_number, stage, count(*) as times, min(ts) as ts from filed group by all),
doubts as (
    select order_id, tracking_number, stage
    from one full join other using (order_id, tracking_number, stage)
    where case
        when other.times is null then (stage, one.ts::date) in (select (stage, service_date) from covered)
        when one.times is null or other.times > one.times then true
        else abs(epoch_us(other.ts) - epoch_us(one.ts)) > {tolerance}
    end
)

select order_id, tracking_number, stage, epoch_us(labeled_ts) as labeled,
    coalesce(told, []) as told, coalesce(filed, []) as filed
from doubts
left join (select order_id, tracking_number, stage, list(epoch_us(ts) order by ts) as told
    from told semi join doubts using (order_id, tracking_number, stage) group by all) t
    using (order_id, tracking_number, stage)
left join (select order_id, tracking_number, stage, list(epoch_us(ts) order by ts) as filed
    from filed semi join doubts using (order_id, tracking_number, stage) group by all) f
    using (order_id, tracking_number, stage)
join waybills using (order_id, tracking_number)
"""

_FED = """
create temp table fed as
select {id} as event_id, order_id, {carrier} as carrier, tracking_number, stage, event_ts,
    arg_min(reason, (code, hub)) as reason, nullif(arg_min(hub, (code, hub)), '') as hub
from (
    select f.order_id, s.tracking_number, s.stage, s.scan_ts as event_ts, s.reason, s.code, s.hub
    from scans s
    join (select *, make_timestamptz(ts) as scan_ts from fed_times) f using (tracking_number, stage, scan_ts)
)
group by order_id, tracking_number, stage, event_ts;

create temp table ends as
select order_id, tracking_number,
    min(event_ts) filter (stage in {final}) as final_ts,
    min(event_ts) filter (stage = 'return_started') as return_ts,
    min(event_ts) filter (stage = 'returned') as returned_ts
from (
    select order_id, tracking_number, stage, event_ts from sightings where stage in {closing}
    union all select order_id, tracking_number, stage, event_ts from fed where stage in {closing})
group by all
"""

_FINDINGS = """
create temp table findings as
with found as (
    select tracking_number, finding, milestone, order_id, make_timestamptz(live_ts) as live_ts,
        make_timestamptz(batch_ts) as batch_ts, scans, counts, why
    from differences

    union all
    select tracking_number, 'unknown_waybill', arg_max(stage, list_position({ranked}, stage)), null, null, min(scan_ts),
        count(*), '', 'no event tells whose it is'
    from owned
    where order_id is null
    group by tracking_number

    union all
    select tracking_number, 'after_terminal', stage, order_id, arg_min(terminal_ts, scan_ts), min(scan_ts),
        count(*), 'live', 'the journey had ended'
    from (
        select o.*, case when scan_ts >= return_ts then returned_ts else final_ts end as terminal_ts
        from owned o join ends using (order_id, tracking_number)
        where stage not in {closing} and scan_ts <= {horizon})
    where epoch_us(scan_ts) > epoch_us(terminal_ts) + {tolerance}
    group by order_id, tracking_number, stage
)

-- Of two orders that had one waybill number, the later one's is told.
select distinct on (tracking_number, finding, milestone)
    {carrier} as carrier, *, coalesce(batch_ts, live_ts) as at_ts
from found
order by tracking_number, finding, milestone, at_ts desc
"""

_DIFFERENCES = pa.schema(
    [
        *((name, pa.string()) for name in ("order_id", "tracking_number", "milestone", "finding")),
        *((name, pa.int64()) for name in ("live_ts", "batch_ts", "scans")),
        *((name, pa.string()) for name in ("counts", "why")),
    ]
)
_TIMES = pa.schema(
    [("order_id", pa.string()), ("tracking_number", pa.string()), ("stage", pa.string()), ("ts", pa.int64())]
)


def match(db: duckdb.DuckDBPyConnection, scope: Scope, carrier: str) -> None:
    """Leave `owned` (scans with the order that they are of), `fed` (scans taken as events), `ends`, and `findings`."""
    words = {
        "critical": listed(CRITICAL_STAGES),
        "closing": listed(CLOSING_STAGES),
        "final": listed(_FINAL),
        "ranked": f"[{', '.join(map(quoted, sorted(RANK, key=RANK.__getitem__)))}]",
        "horizon": f"make_timestamptz({scope.horizon})",
        "tolerance": str(int(scope.policy.reconcile.tolerance)),
        "carrier": quoted(carrier),
        "id": fed_id(),
    }
    db.execute(_OWNED)
    db.execute(_SIDES.format(**words))
    differences, times = _judge(db.sql(_DOUBTS.format(**words)).fetchall(), int(scope.policy.reconcile.tolerance))
    db.register("differences", differences)
    db.register("fed_times", times)
    db.execute(_FED.format(**words))
    db.execute(_FINDINGS.format(**words))


def listed(stages: Iterable[str]) -> str:
    """Give stages as a list of SQL."""
    return f"({', '.join(map(quoted, sorted(stages)))})"


def _judge(doubts: list[tuple], tolerance: int) -> tuple[pa.Table, pa.Table]:  # type: ignore[type-arg]
    rows: list[tuple[object, ...]] = []
    times: list[tuple[object, ...]] = []
    for order_id, tracking_number, stage, labeled, told, filed in doubts:
        for found in compare(told, filed, labeled, tolerance):
            rows.append((order_id, tracking_number, stage, *found[: Difference._fields.index("fed")]))
            times += [(order_id, tracking_number, stage, ts) for ts in found.fed]
    return _table(rows, _DIFFERENCES), _table(times, _TIMES)


def _table(rows: list[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    return pa.table([list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema], schema=schema)
