-- Promises kept, by carrier
-- Parcels are counted where their first event lies; a promise that has not passed yet counts nowhere.
--   carrier          the parcel's carrier
--   since            the day, or the Monday of the week
--   promises_due     parcels whose promise has passed
--   kept_rate_pct    of these, delivered by the first promise * 100
select
    coalesce(carrier, '(none)') as carrier,
    date_trunc(?, first_event_ts)::date as since,
    count(*) as promises_due,
    count(*) filter (delivered_at <= promised_delivery_ts) * 100 / promises_due as kept_rate_pct
from parcels
where in_period(first_event_ts) and promised_delivery_ts <= horizon()
group by all
order by all;
