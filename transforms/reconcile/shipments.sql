-- concluded, one row a parcel: what `parcels` concludes from its events, and what its carrier's files add.
-- Over the relations parcels, tallies and incidents (of `transforms.reconcile.stays`), and the macros of the rules.
--
-- Late minutes are split by whose they are. What troubles and overrun deadlines took is counted first, as far as the
-- lateness goes: what no one can help (customs, weather), then the customer's, then the shipper's; the rest is the
-- carrier's. A trouble takes from its event to the next time the parcel is heard of, in Karrio's words of who is behind
-- it; the shipper takes what packing and handing over took beyond the policy's limits.
create or replace temp view concluded as
with lateness as (
    select
        *,
        case outcome when 'late' then delivered_at when 'breached' then horizon() end as ended_at,
        micros_between(promised_delivery_ts, ended_at) as late
    from parcels
),

troubles as (
    select
        order_id,
        tracking_number,
        sum(taken) filter (reason like 'customs_%' or reason like 'weather_%') as external,
        sum(taken) filter (reason like 'consignee_%') as customer,
        sum(taken) filter (reason like 'retailer_%') as shipper
    from (
        select i.order_id, i.tracking_number, i.reason, micros_between(i.ts, least(i.until_ts, l.ended_at)) as taken
        from incidents i
        join lateness l using (order_id, tracking_number)
        where i.ts < l.ended_at
    )
    group by order_id, tracking_number
),

overrun as (
    select
        * exclude (external, customer, shipper),
        coalesce(external, 0) as external,
        coalesce(customer, 0) as customer,
        coalesce(shipper, 0)
        + coalesce(greatest(0, micros_between(picked_at, packed_at)
            - epoch_us(pick_pack_limit(carrier, warehouse_id))), 0)
        + coalesce(greatest(0, micros_between(labeled_at, carrier_scanned_at)
            - epoch_us(label_scan_limit(carrier, warehouse_id))), 0) as shipper
    from lateness
    left join troubles using (order_id, tracking_number)
),

split as (
    select
        *,
        least(late, external) as by_external,
        least(late - by_external, customer) as by_customer,
        least(late - by_external - by_customer, shipper) as by_shipper
    from overrun
)

select
    * exclude (
        ended_at, late, external, customer, shipper, by_external, by_customer, by_shipper,
        hub_scans, first_scan_ts, hub_legs, hub_minutes
    ),
    coalesce(hub_scans, 0) as hub_scans,
    first_scan_ts,
    coalesce(hub_legs, 0) as hub_legs,
    hub_minutes,
    case when late is not null then by_shipper / 60e6 end as late_by_shipper,
    case when late is not null then (late - by_external - by_customer - by_shipper) / 60e6 end as late_by_carrier,
    case when late is not null then by_customer / 60e6 end as late_by_customer,
    case when late is not null then by_external / 60e6 end as late_by_external
from split
left join tallies using (order_id, tracking_number);
