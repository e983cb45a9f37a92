-- On time: one promise, as the trade's definitions see it
-- Parcels are chosen by the day of their first event. Each rate is a share of what its definition looks at.
--   carrier                the parcel's carrier, of its earliest event that names one
--   parcels                all its parcels that were promised for a time
--   delivered_only_pct     the usual rate: delivered by the first promise / delivered. What is lost or overdue is not in it
--   survivor_free_pct      delivered by the first promise / promised for a time that has passed, whatever became of them
--   gap_points             delivered_only_pct - survivor_free_pct: how much the usual rate flatters
--   latest_promise_pct     delivered by the latest promise / delivered: what a shop sees that overwrites its promises
--   by_day_pct             delivered on the promised day (UTC) or before / delivered, as Metapack counts
--   first_attempt_pct      first attempt, pickup point or delivery by the first promise / parcels that saw one, as AfterShip
--                          counts
--   late_pickup_pct        the same, but a promise moves by as much as the carrier's first scan came later than the policy
--                          lets it after the label, as EasyPost Luma counts
--   tracked_pct            scanned by the carrier and delivered by the first promise / scanned by the carrier and promised for
--                          a time that has passed, as Amazon's OTDR counts
--   otif_pct               orders of which every parcel was delivered by its first promise and none had an exception / orders
--                          of which every promise has passed: on time and in full
with chosen as (
    select
        *,
        least(delivered_at, attempt_failed_at, available_for_pickup_at) as tried_at,
        promised_delivery_ts <= horizon() as due,
        coalesce(delivered_at <= promised_delivery_ts, false) as kept,
        promised_delivery_ts + greatest(
            carrier_scanned_at - (labeled_at + label_scan_limit(carrier, warehouse_id)), to_microseconds(0)
        ) as moved_promise
    from parcels
    where in_period(first_event_ts) and promised_delivery_ts is not null
),

orders as (
    select carrier, bool_and(due) as due, bool_and(kept and exceptions = 0) as perfect
    from chosen
    group by carrier, order_id
),

in_full as (
    select carrier, count(*) filter (due and perfect) * 100 / nullif(count(*) filter (due), 0) as otif_pct
    from orders
    group by carrier
),

rates as (
    select
        carrier,
        count(*) as parcels,
        count(*) filter (kept) * 100 / nullif(count(delivered_at), 0) as delivered_only_pct,
        count(*) filter (due and kept) * 100 / nullif(count(*) filter (due), 0) as survivor_free_pct,
        delivered_only_pct - survivor_free_pct as gap_points,
        count(*) filter (delivered_at <= latest_promised_delivery_ts) * 100 / nullif(count(delivered_at), 0)
            as latest_promise_pct,
        count(*) filter (delivered_at::date <= promised_delivery_ts::date) * 100 / nullif(count(delivered_at), 0)
            as by_day_pct,
        count(*) filter (tried_at <= promised_delivery_ts) * 100 / nullif(count(tried_at), 0) as first_attempt_pct,
        count(*) filter (tried_at <= coalesce(moved_promise, promised_delivery_ts)) * 100 / nullif(count(tried_at), 0)
            as late_pickup_pct,
        count(*) filter (due and kept and carrier_scanned_at is not null) * 100
            / nullif(count(*) filter (due and carrier_scanned_at is not null), 0) as tracked_pct
    from chosen
    group by carrier
)

select rates.*, otif_pct
from rates
join in_full on rates.carrier is not distinct from in_full.carrier
order by carrier;
