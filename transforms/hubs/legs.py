"""Hub legs: how long a parcel stayed at each hub, from the scans of its waybill.

A leg is a run of scans at one hub; another hub ends it, and so does an in-scan after the out-scan. A scan on the way
that still names the hub just left begins no new leg. What a missing scan would have told is inferred and marked so:
without an in-scan the first scan stands in for it, without an out-scan the next scan elsewhere.
"""

import pyarrow as pa

from schemas.tables import HUB_LEGS, HUB_SCANS
from transforms.publish.lake import Lake, connect

# Scans of one moment are taken in the order in which they can have happened.
_LEGS = """
with seen as (
    select *, row_number() over parcel as place,
        lag(hub) over parcel as hub_before,
        last_value(case when stage <> 'in_transit' then stage end ignore nulls)
            over (parcel rows between unbounded preceding and 1 preceding) as gate_before
    from {scans}
    where stage in ('hub_in', 'hub_out', 'in_transit')
    window parcel as (
        partition by carrier, tracking_number
        order by scan_ts, list_position(['hub_in', 'in_transit', 'hub_out'], stage), hub, code)
),

numbered as (
    select *, sum((hub_before is distinct from hub
            or (stage = 'hub_in' and gate_before is not distinct from 'hub_out'))::int) over (
        partition by carrier, tracking_number order by place rows unbounded preceding) as leg
    from seen
),

legs as (
    select carrier, tracking_number, leg, first(hub) as hub, min(scan_ts) as in_ts,
        max(scan_ts) filter (stage = 'hub_out') as scanned_out_ts,
        arg_min(stage, place) <> 'hub_in' as in_inferred, count(*) as scans
    from numbered
    group by carrier, tracking_number, leg
),

ended as (
    select *, lead(in_ts) over (partition by carrier, tracking_number order by leg) as next_in_ts
    from legs
)

select distinct on (carrier, tracking_number, hub, in_ts)
    carrier, tracking_number, hub, in_ts,
    coalesce(scanned_out_ts, next_in_ts) as out_ts,
    in_inferred,
    scanned_out_ts is null and next_in_ts is not null as out_inferred,
    scans,
    date_diff('microsecond', in_ts, coalesce(scanned_out_ts, next_in_ts)) / 60e6 as dwell_minutes
from ended
-- Two legs can begin at one hub in one moment only where scans contradict one another; the longer one tells more.
order by carrier, tracking_number, hub, in_ts, coalesce(scanned_out_ts, next_in_ts) desc nulls last
"""


def hub_legs(lake: Lake) -> pa.Table:
    """Give the legs of all parcels that the lake's hub scans tell of, as rows of `HubLeg`."""
    with connect() as db:
        return db.sql(_LEGS.format(scans=lake.rows(HUB_SCANS))).to_arrow_table().cast(HUB_LEGS.row_schema)
