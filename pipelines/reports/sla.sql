-- SLA: how parcels stand towards their promise now
-- Parcels are chosen by the day of their first event.
--   carrier                the parcel's carrier, of its earliest event that names one
--   sla_status             its status at the horizon (views/sla_status.sql)
--   parcels                how many parcels stand so
--   oldest_promise_ts      the earliest first promise among them
--   avg_late_min           mean minutes past the promise, of the delivery or, for a breached one, of the wait so far
--   max_late_min           the most minutes past the promise, likewise
select
    carrier,
    outcome as sla_status,
    count(*) as parcels,
    min(promised_delivery_ts) as oldest_promise_ts,
    avg((late_minutes * 60e6)::bigint) / 60e6 as avg_late_min,
    max(late_minutes) as max_late_min
from parcels
where in_period(first_event_ts)
group by carrier, outcome
order by carrier, sla_status;
