-- Transit time, by carrier
-- From the carrier's first scan to delivery, of delivered parcels.
--   carrier          the parcel's carrier
--   parcels          delivered parcels with a first scan
--   p10_hours        10 in 100 parcels took no longer
--   p25_hours        25 in 100 parcels took no longer
--   p50_hours        half of them took no longer
--   p75_hours        75 in 100 parcels took no longer
--   p90_hours        90 in 100 parcels took no longer
with spans as (
    select coalesce(carrier, '(none)') as carrier, hours_between(carrier_scanned_at, delivered_at) as hours
    from parcels
    where in_period(first_event_ts) and carrier_scanned_at is not null and delivered_at is not null
)

select
    carrier,
    count(*) as parcels,
    quantile_cont(hours, 0.10) as p10_hours,
    quantile_cont(hours, 0.25) as p25_hours,
    quantile_cont(hours, 0.50) as p50_hours,
    quantile_cont(hours, 0.75) as p75_hours,
    quantile_cont(hours, 0.90) as p90_hours
from spans
group by carrier
order by p50_hours, carrier;
