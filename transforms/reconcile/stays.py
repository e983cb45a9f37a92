"""What a carrier's scans tell of time: legs, how long troubles lasted, and valuable parcels that stayed too long.

Works on the connection that `match` has worked on, and leaves `legs`, `tallies`, `incidents` and `stays` on it.
"""

import duckdb

from schemas.stages import CARRIER_STAGES, TROUBLE_STAGES
from transforms.follow.in_sql import parts, quoted
from transforms.hubs.legs import GONE, GONE_STAGES, HUB_STAGES, LEGS, legs_of
from transforms.reconcile.match import listed
from transforms.reconcile.scope import Scope

MOST = 2_000_000
"""Scans whose legs are walked at a time, about: what DuckDB holds it can spill, what is walked it cannot."""

_SIGHTINGS = """
select * from (
    select tracking_number, if(stage in {at_hub}, hub, '') as hub, epoch_us(scan_ts) as ts,
        coalesce(list_position({hubs}, stage) - 1, {gone_kind})::tinyint as kind
    from scans where (stage in {at_hub} or stage in {gone}) and {part}
    union all
    select tracking_number, '', epoch_us(event_ts), {gone_kind}::tinyint
    from sightings where stage in {gone} and {part})
order by tracking_number, ts, kind, hub
"""

_LEGS = """
create temp table legs as
select {carrier} as carrier, tracking_number, hub, make_timestamptz(in_ts) as in_ts, make_timestamptz(out_ts) as out_ts,
    in_inferred, out_inferred, scans, (out_ts - in_ts) / 60e6 as dwell_minutes
from walked
-- Two legs can begin at one hub in one moment only where scans contradict one another; the longer one tells more.
qualify row_number() over (partition by tracking_number, hub, in_ts order by out_ts desc nulls last, scans desc) = 1
"""

_TALLIES = """
create temp table owned_legs as
select w.order_id, w.declared_value, l.tracking_number, l.hub, l.in_ts, l.out_ts
from legs l
join waybills w on l.tracking_number = w.tracking_number and l.in_ts >= w.from_ts and l.in_ts < w.until_ts;

create temp table tallies as
select order_id, tracking_number, hub_scans, first_scan_ts, coalesce(hub_legs, 0) as hub_legs, hub_minutes
from (
    select order_id, tracking_number, count(*) as hub_scans, min(scan_ts) as first_scan_ts
    from owned where order_id is not null group by all)
left join (
    select order_id, tracking_number, count(*) as hub_legs,
        sum(epoch_us(out_ts) - epoch_us(in_ts)) / 60e6 as hub_minutes
    from owned_legs group by all) using (order_id, tracking_number);

create temp table stays as
select order_id, tracking_number, hub, in_ts, out_ts
from owned_legs
where declared_value >= {high_value}
    and epoch_us(coalesce(out_ts, {horizon})) - epoch_us(in_ts) >= {longest}
"""

# A trouble lasts until the parcel is heard of again.
_INCIDENTS = """
create temp table incidents as
with heard as (
    select order_id, tracking_number, stage, event_ts as ts, reason from sightings where stage in {carried}
    union all select order_id, tracking_number, stage, event_ts, reason from fed),
troubles as (
    select order_id, tracking_number, ts, min(coalesce(reason, '')) as reason
    from heard where stage in {troubles} group by all),
later as (
    select order_id, tracking_number, ts from heard semi join troubles using (order_id, tracking_number)
    union select order_id, tracking_number, scan_ts from owned semi join troubles using (order_id, tracking_number))
select t.*, l.ts as until_ts
from troubles t
asof left join later l on t.order_id = l.order_id and t.tracking_number = l.tracking_number and t.ts < l.ts
"""


def tell_time(db: duckdb.DuckDBPyConnection, scope: Scope, carrier: str) -> None:
    """Leave `legs`, `tallies` (scans, legs and minutes by parcel), `incidents` (until when each lasted) and `stays`."""
    words = {
        "hubs": f"[{', '.join(map(quoted, HUB_STAGES))}]",
        "at_hub": listed(HUB_STAGES),
        "gone": listed(GONE_STAGES),
        "gone_kind": str(GONE),
        "carried": listed(CARRIER_STAGES),
        "troubles": listed(TROUBLE_STAGES),
        "carrier": quoted(carrier),
        "horizon": f"make_timestamptz({scope.horizon})",
        "high_value": str(scope.policy.visits.high_value),
        "longest": str(int(scope.policy.hubs.longest_stay)),
    }
    ((scans,),) = db.execute("select count(*) from scans").fetchall()
    db.register("no_legs", LEGS.empty_table())
    db.execute("create temp table walked as from no_legs")
    for part in parts(scans, MOST):
        db.register("walked_part", legs_of(db.sql(_SIGHTINGS.format(part=part, **words)).to_arrow_table()))
        db.execute("insert into walked from walked_part")
        db.unregister("walked_part")
    for statement in (_LEGS, _TALLIES, _INCIDENTS):
        db.execute(statement.format(**words))
