"""The night written by hand in DuckDB: one script, the same files and events in, the same answers out.

It knows no transactions, no second night, no corrected files and no quarantine, and it knows beforehand what the files
hold. `python -m scripts.benchmarks.night_in_duckdb DROP EVENTS OUT`.
"""

import json
import sys
from pathlib import Path

import duckdb

TOLERANCE = "interval 10 minutes"
CRITICAL = """('carrier_scanned', 'exception', 'out_for_delivery', 'attempt_failed', 'delivered', 'lost',
    'return_started', 'returned')"""
CLOSING = "('cancelled', 'failed', 'lost', 'delivered', 'return_started', 'returned')"
GONE = """('out_for_delivery', 'attempt_failed', 'available_for_pickup', 'cancelled', 'failed', 'lost', 'delivered',
    'return_started', 'returned')"""
FILES = {
    "regional": """select carrier, tracking_number, scan_ts::timestamptz as scan_ts, code, hub
        from read_csv('{drop}/regional/*.csv', all_varchar=true)""",
    "ups": """select 'ups' as carrier, "trackingNumber" as tracking_number,
        (strptime("localActivityDate" || "localActivityTime", '%Y%m%d%H%M%S')
            - to_hours(("gmtOffset"[:3])::int)) at time zone 'UTC' as scan_ts,
        "activityStatus.type" || '/' || "activityStatus.code" || '/' || ltrim("activityStatus.descriptionCode", '0')
            as code, "activityLocation.city" as hub
        from read_csv('{drop}/ups/*.csv', all_varchar=true)""",
    "usps": """select 'usps' as carrier, "trackingNumber" as tracking_number,
        ("eventTimestamp"::timestamp - to_hours(("GMTOffset"[:3])::int)) at time zone 'UTC' as scan_ts,
        "eventCode" as code, "eventZIP" as hub
        from read_csv('{drop}/usps/*.csv', all_varchar=true, null_padding=true)
        where not starts_with("trackingNumber", '#EOF')""",
    "delhivery": """select 'delhivery' as carrier, "AWB" as tracking_number,
        ("StatusDateTime"::timestamp - interval 330 minutes) at time zone 'UTC' as scan_ts,
        "StatusType" || '/' || "Status" || '/' || "NSLCode" as code, "StatusLocation" as hub
        from read_csv('{drop}/delhivery/*.csv.gz', all_varchar=true)""",
    "blue_dart": """select 'blue_dart' as carrier, "WaybillNo" as tracking_number,
        (strptime("ScanDate" || "ScanTime", '%d-%m-%Y%H%M') - interval 330 minutes) at time zone 'UTC' as scan_ts,
        "ScanGroupType" || '/' || "ScanCode" as code, "ScannedLocationCode" as hub
        from read_csv('{drop}/blue_dart/*.csv', all_varchar=true)""",
}
CODES = """
create table codes (carrier varchar, code varchar, stage varchar, reason varchar);
insert into codes
    select 'regional', unnest(['carrier_scanned', 'in_transit', 'hub_in', 'hub_out', 'exception', 'out_for_delivery',
        'attempt_failed', 'lost', 'delivered', 'return_started', 'returned']) as code, code, null;
insert into codes values
    ('ups', 'I/OR/38', 'carrier_scanned', null), ('ups', 'I/IT/10', 'in_transit', null),
    ('ups', 'I/AR/5', 'hub_in', null), ('ups', 'I/DP/5', 'hub_out', null),
    ('ups', 'I/OT/21', 'out_for_delivery', null), ('ups', 'X/48/22', 'attempt_failed', 'consignee_not_home'),
    ('ups', 'X/S9/68', 'lost', 'carrier_parcel_lost'), ('ups', 'D/FS/11', 'delivered', null),
    ('ups', 'X/3N/33', 'return_started', null), ('ups', 'I/RT/34', 'returned', null),
    ('ups', 'X/DJ/32', 'exception', 'weather_delay'),
    ('usps', '03', 'carrier_scanned', null), ('usps', 'TL', 'in_transit', null), ('usps', '10', 'hub_in', null),
    ('usps', 'T1', 'hub_out', null), ('usps', 'OF', 'out_for_delivery', null), ('usps', '01', 'delivered', null),
    ('delhivery', 'UD/In Transit/X-PPOM', 'carrier_scanned', null),
    ('delhivery', 'UD/In Transit/X-OTHER', 'in_transit', null),
    ('delhivery', 'UD/In Transit/X-PIOM', 'hub_in', null), ('delhivery', 'UD/In Transit/X-DLL2F', 'hub_out', null),
    ('delhivery', 'UD/Dispatched/X-DDD3FD', 'out_for_delivery', null),
    ('delhivery', 'DL/Delivered/EOD-38', 'delivered', null),
    ('delhivery', 'RT/In Transit/RT-101', 'return_started', null),
    ('delhivery', 'DL/RTO/RT-110', 'returned', null),
    ('blue_dart', 'S/001', 'hub_in', null), ('blue_dart', 'S/002', 'hub_out', null),
    ('blue_dart', 'T/003', 'attempt_failed', 'consignee_not_available'), ('blue_dart', 'T/000', 'delivered', null),
    ('blue_dart', 'RS/001', 'return_started', null), ('blue_dart', 'RT/000', 'returned', null);
"""

LEGS = f"""
create table legs as
with sightings as (
    select carrier, tracking_number, scan_ts as ts, hub,
        case stage when 'hub_in' then 0 when 'in_transit' then 1 when 'hub_out' then 2 else 3 end::tinyint as kind
    from scans where stage in ('hub_in', 'in_transit', 'hub_out') or stage in {GONE}
    union all
    select carrier, tracking_number, event_ts, '', 3 from carried where stage in {GONE}
),
looked as (
    select *,
        last_value(case when kind <> 3 then hub end ignore nulls) over before as last_hub,
        last_value(case when kind <> 1 then kind end ignore nulls) over before as gate
    from sightings
    window before as (
        partition by carrier, tracking_number order by ts, kind, hub
        rows between unbounded preceding and 1 preceding
    )
),
begun as (
    select *, kind <> 3 and (last_hub is null or last_hub <> hub or (kind = 0 and gate >= 2)) as starts from looked
),
numbered as (
    select *, sum(starts::int) over (
        partition by carrier, tracking_number order by ts, kind, hub rows unbounded preceding
    ) as leg
    from begun
),
stays as (
    select carrier, tracking_number, leg, min(ts) as in_ts, arg_min(hub, (ts, kind)) as hub,
        arg_min(kind, (ts, kind)) <> 0 as in_inferred,
        max(ts) filter (kind = 2) as scanned_out, min(ts) filter (kind = 3) as gone,
        count(*) filter (kind <> 3) as scans
    from numbered where leg > 0 group by all
),
ended as (
    select *, lead(in_ts) over (partition by carrier, tracking_number order by leg) as next_ts from stays
)
select carrier, tracking_number, hub, in_ts, coalesce(scanned_out, least(gone, next_ts)) as out_ts, in_inferred,
    scanned_out is null and coalesce(gone, next_ts) is not null as out_inferred, scans,
    (epoch_us(out_ts) - epoch_us(in_ts)) / 60e6 as dwell_minutes
from ended
qualify row_number() over (
    partition by carrier, tracking_number, hub, in_ts order by out_ts desc nulls last, scans desc
) = 1
"""

MATCH = f"""
create table told as
select carrier, tracking_number, stage, min(event_ts) as ts from carried where stage in {CRITICAL} group by all;
create table filed as
select carrier, tracking_number, stage, min(scan_ts) as ts, arg_min(reason, scan_ts) as reason, count(*) as scans
from scans where stage in {CRITICAL} and scan_ts <= (select newest from horizon) group by all;
create table compared as
select carrier, tracking_number, stage, t.ts as live_ts, f.ts as batch_ts, f.reason, coalesce(f.scans, 0) as scans,
    p.order_id, f.ts >= coalesce(p.labeled_ts - {TOLERANCE}, f.ts) as plausible
from told t full join filed f using (carrier, tracking_number, stage)
join parcels p using (carrier, tracking_number);
create table findings as
select * exclude (reason, plausible),
    case when live_ts is null and plausible then 'missed_live' when batch_ts is null then 'missed_batch'
        else 'time_conflict' end as finding,
    case when batch_ts is null then 'live' when live_ts is null then if(plausible, 'batch', '')
        when batch_ts < live_ts and plausible then 'batch' else 'live' end as counts
from compared
where live_ts is null
    or (batch_ts is null and (carrier, stage, live_ts::date) in (select (carrier, stage, scan_ts::date) from scans))
    or abs(epoch_us(batch_ts) - epoch_us(live_ts)) > 600000000;
create table fed as
select order_id, tracking_number, carrier, stage, batch_ts as event_ts, reason
from compared
where plausible and (live_ts is null or batch_ts < live_ts - {TOLERANCE});
create table known as
select order_id, tracking_number, stage, event_ts, reason from events
union all select order_id, tracking_number, stage, event_ts, reason from fed;
insert into findings by name
with ends as (
    select tracking_number,
        min(event_ts) filter (stage in ('delivered', 'returned', 'lost', 'cancelled', 'failed')) as final_ts,
        min(event_ts) filter (stage = 'return_started') as return_ts,
        min(event_ts) filter (stage = 'returned') as returned_ts
    from known where stage in {CLOSING} group by all)
select carrier, tracking_number, stage, arg_min(terminal_ts, scan_ts) as live_ts, min(scan_ts) as batch_ts,
    count(*) as scans, any_value(order_id) as order_id, 'after_terminal' as finding, 'live' as counts
from (
    select s.*, p.order_id, case when scan_ts >= return_ts then returned_ts else final_ts end as terminal_ts
    from scans s join ends using (tracking_number) join parcels p using (carrier, tracking_number)
    where stage not in {CLOSING} and scan_ts <= (select newest from horizon))
where scan_ts > terminal_ts + {TOLERANCE} group by all;
insert into findings by name
select carrier, tracking_number, 'unknown' as stage, min(scan_ts) as batch_ts, count(*) as scans,
    'unknown_waybill' as finding, '' as counts
from scans anti join parcels using (carrier, tracking_number) group by all
"""

SHIPMENTS = f"""
create table shipments as
with reached as (
    select order_id, tracking_number,
        min(event_ts) as first_event_ts, max(event_ts) as last_event_ts, count(*) as events,
        {{milestones}},
        min(event_ts) filter (stage in {CLOSING}) as closed_at,
        max(case stage {{ranks}} end) as rank
    from known group by all
),
told as (
    select p.*, r.* exclude (order_id, tracking_number, delivered_at),
        case when least(return_started_at, returned_at) < delivered_at then null else delivered_at end as delivered_at
    from reached r join parcels p using (order_id, tracking_number)
),
judged as (
    select *, newest,
        case when delivered_at <= promised_delivery_ts then 'on_time' when delivered_at is not null then 'late'
            when returned_at is not null then 'returned' when return_started_at is not null then 'return_started'
            when lost_at is not null then 'lost' when failed_at is not null then 'failed'
            when cancelled_at is not null then 'cancelled'
            when newest > promised_delivery_ts then 'breached'
            when newest >= promised_delivery_ts - interval 4 hours then 'at_risk' else 'on_track' end as outcome,
        case outcome when 'late' then delivered_at when 'breached' then newest end as ended_at,
        epoch_us(ended_at) - epoch_us(promised_delivery_ts) as late
    from told, horizon
),
heard as (
    select tracking_number, stage, event_ts as ts, reason from known
    where stage not in ('picked', 'packed', 'labeled', 'cancelled')
),
troubles as (
    select tracking_number, ts, min(coalesce(reason, '')) as reason from heard
    where stage in ('exception', 'attempt_failed') group by all
),
later as (
    select tracking_number, ts from heard semi join troubles using (tracking_number)
    union select tracking_number, scan_ts from scans semi join troubles using (tracking_number)
),
lasted as (
    select t.*, l.ts as until_ts from troubles t
    asof left join later l on t.tracking_number = l.tracking_number and t.ts < l.ts
),
took as (
    select tracking_number,
        sum(taken) filter (reason like 'customs_%' or reason like 'weather_%') as external,
        sum(taken) filter (reason like 'consignee_%') as customer,
        sum(taken) filter (reason like 'retailer_%') as shipper
    from (
        select t.*, epoch_us(least(until_ts, ended_at)) - epoch_us(ts) as taken
        from lasted t join judged using (tracking_number) where ts < ended_at)
    group by all
),
split as (
    select j.*, least(late, coalesce(external, 0)) as by_external,
        least(late - by_external, coalesce(customer, 0)) as by_customer,
        least(late - by_external - by_customer, coalesce(shipper, 0)
            + coalesce(greatest(0, epoch_us(packed_at) - epoch_us(picked_at) - 1800000000), 0)
            + coalesce(greatest(0, epoch_us(carrier_scanned_at) - epoch_us(labeled_at) - 7200000000), 0)) as by_shipper
    from judged j left join took using (tracking_number)
),
scanned as (
    select carrier, tracking_number, count(*) as hub_scans, min(scan_ts) as first_scan_ts from scans group by all
),
stayed as (
    select carrier, tracking_number, count(*) as hub_legs, sum(dwell_minutes) as hub_minutes from legs group by all
)
select s.* exclude (newest, ended_at, late, by_external, by_customer, by_shipper),
    coalesce(hub_scans, 0) as hub_scans, first_scan_ts, coalesce(hub_legs, 0) as hub_legs, hub_minutes,
    late / 60e6 as late_minutes, by_shipper / 60e6 as late_by_shipper, by_customer / 60e6 as late_by_customer,
    by_external / 60e6 as late_by_external, (late - by_shipper - by_customer - by_external) / 60e6 as late_by_carrier
from split s left join scanned using (carrier, tracking_number) left join stayed using (carrier, tracking_number)
"""
STAGES = {
    "picked": 10, "packed": 20, "labeled": 30, "carrier_scanned": 40, "in_transit": 50, "hub_in": 51, "hub_out": 52,
    "exception": 60, "out_for_delivery": 70, "attempt_failed": 75, "available_for_pickup": 80, "cancelled": 84,
    "failed": 85, "lost": 86, "delivered": 90, "return_started": 95, "returned": 96,
}  # fmt: skip
PARCELS = """
create table events as
select order_id, tracking_number, stage, event_ts, reason, carrier, customer_id, warehouse_id, origin_region,
    dest_region, declared_value, currency, promised_delivery_ts
from read_parquet('{events}/*/*.parquet');
create table horizon as select max(event_ts) as newest from events;
create table parcels as
select order_id, tracking_number, arg_min(carrier, event_ts) as carrier, arg_min(customer_id, event_ts) as customer_id,
    arg_min(warehouse_id, event_ts) as warehouse_id, arg_min(origin_region, event_ts) as origin_region,
    arg_min(dest_region, event_ts) as dest_region, max(declared_value) as declared_value,
    arg_min(currency, event_ts) as currency, min(event_ts) filter (stage = 'labeled') as labeled_ts,
    arg_min(promised_delivery_ts, event_ts) as promised_delivery_ts
from events group by all;
create view carried as
select carrier, order_id, tracking_number, stage, event_ts from events
where stage not in ('picked', 'packed', 'labeled')
"""


def night(drop: str, events: str, out: str) -> None:
    """Do it all."""
    said = " union all ".join(f"({query.format(drop=drop)})" for query in FILES.values())
    Path(out).mkdir()
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'; set enable_progress_bar = false; set preserve_insertion_order = false")
        db.execute(CODES)
        db.execute(f"create table scans as select distinct * from ({said}) join codes using (carrier, code)")
        _write(db, out, "hub_scans", "scans", "scan_ts", "tracking_number, scan_ts, code, hub", "carrier")
        db.execute(PARCELS.format(events=events))
        db.execute(LEGS)
        _write(db, out, "hub_legs", "legs", "in_ts", "tracking_number, hub, in_ts", "carrier")
        db.execute(MATCH)
        when = "coalesce(batch_ts, live_ts)"
        _write(db, out, "findings", "findings", when, "tracking_number, finding, stage", "carrier")
        reached = ", ".join(f"min(event_ts) filter (stage = '{stage}') as {stage}_at" for stage in STAGES)
        ranks = " ".join(f"when '{stage}' then {rank}" for stage, rank in STAGES.items())
        db.execute(SHIPMENTS.format(milestones=reached, ranks=ranks))
        _write(db, out, "shipments", "shipments", "first_event_ts", "order_id, tracking_number")
        told = {
            "hub_scans": db.sql("select count(*) from scans").fetchall(),
            "legs": db.sql("select count(*), round(sum(dwell_minutes)) from legs").fetchall(),
            "findings": db.sql(
                "select finding, counts, count(*), sum(scans) from findings group by all order by all"
            ).fetchall(),
            "shipments": db.sql(
                """select outcome, count(*), round(sum(late_minutes)), round(sum(late_by_carrier)), sum(hub_scans)
                from shipments group by all order by all"""
            ).fetchall(),
        }
        hubs = db.sql(
            """select carrier, hub, count(*),
                quantile_cont(dwell_minutes, [0.5, 0.9]) filter (not in_inferred and not out_inferred) as dwell,
                count(*) filter (dwell_minutes > 720) from legs group by all order by all"""
        ).fetchall()
    print(*hubs, sep="\n")
    Path(out, "answer.json").write_text(json.dumps(told, default=float))


def _write(db: duckdb.DuckDBPyConnection, out: str, name: str, table: str, ts: str, order: str, also: str = "") -> None:
    """Write a table as sorted zstd Parquet, partitioned by day and, if asked, by another column."""
    by = f"service_date, {also}" if also else "service_date"
    db.execute(
        f"""copy (select *, ({ts})::date as service_date from {table} order by {by}, {order})
            to '{out}/{name}' (format parquet, compression zstd, partition_by ({by}))"""
    )


if __name__ == "__main__":
    night(*sys.argv[1:])
