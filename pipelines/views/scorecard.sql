-- scorecard(keys): how parcels fared, one row for each value of the columns of `parcels` named in keys.
-- Parcels are chosen by the day of their first event. A time difference is as the scans say it, hence negative where
-- they are out of order; averages and quantiles leave nothing out but parcels that lack one of the two times.
--
-- Of delivered parcels (the return leg's delivery is none):
--   total_orders             delivered parcels
--   on_time_deliveries       delivered no later than the first promise
--   late_deliveries          delivered later than the first promise
--   on_time_rate_pct         on_time_deliveries / total_orders * 100; flatters, since lost and overdue parcels are not in it
--   avg_pick_to_pack_min     mean minutes from the first picked to the first packed
--   avg_label_to_scan_min    mean minutes from the first labeled to the first carrier_scanned
-- Of promises, whatever became of the parcel:
--   promises_due             parcels whose first promise lies at or before the horizon
--   promises_kept            of these, delivered no later than promised
--   kept_rate_pct            promises_kept / promises_due * 100
-- Of the way:
--   transit_p50_hours        median hours from the first carrier_scanned to delivery; parcels without that scan are not in it
--   transit_p90_hours        the same, 90 in 100 parcels took no longer
--   transit_p95_hours        the same, 95 in 100 parcels took no longer
--   first_attempt_rate_pct   delivered without an earlier attempt_failed / parcels with a delivery or an attempt_failed * 100
--   exceptions               parcels with an exception
--   lost                     parcels lost, and neither found and delivered nor returned since
--   returned                 parcels that went back: return_started or returned
--   overdue                  open parcels whose first promise has passed
--   open                     parcels still awaited: no closing stage
--   parcels                  all parcels
create or replace macro scorecard(keys) as table
select
    columns(lambda name: name in keys),

    count(delivered_at) as total_orders,
    count(*) filter (delivered_at <= promised_delivery_ts) as on_time_deliveries,
    count(*) filter (delivered_at > promised_delivery_ts) as late_deliveries,
    on_time_deliveries * 100 / nullif(total_orders, 0) as on_time_rate_pct,
    avg(micros_between(picked_at, packed_at)) filter (delivered_at is not null) / 60e6 as avg_pick_to_pack_min,
    avg(micros_between(labeled_at, carrier_scanned_at)) filter (delivered_at is not null) / 60e6 as avg_label_to_scan_min,

    count(*) filter (promised_delivery_ts <= horizon()) as promises_due,
    count(*) filter (promised_delivery_ts <= horizon() and delivered_at <= promised_delivery_ts) as promises_kept,
    promises_kept * 100 / nullif(promises_due, 0) as kept_rate_pct,

    quantile_cont(hours_between(carrier_scanned_at, delivered_at), 0.50) as transit_p50_hours,
    quantile_cont(hours_between(carrier_scanned_at, delivered_at), 0.90) as transit_p90_hours,
    quantile_cont(hours_between(carrier_scanned_at, delivered_at), 0.95) as transit_p95_hours,
    count(*) filter (delivered_at is not null and coalesce(attempt_failed_at >= delivered_at, true)) * 100
        / nullif(count(*) filter (delivered_at is not null or attempts_failed > 0), 0) as first_attempt_rate_pct,
    count(*) filter (exceptions > 0) as exceptions,
    count(*) filter (current_stage = 'lost') as lost,
    count(*) filter (current_stage in ('return_started', 'returned')) as returned,
    count(*) filter (closed_at is null and promised_delivery_ts < horizon()) as overdue,
    count(*) filter (closed_at is null) as open,
    count(*) as parcels
from parcels
where in_period(first_event_ts)
group by all;
