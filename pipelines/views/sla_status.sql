-- sla_status: how each parcel stands towards its promise at the horizon; delivered parcels stay in sight.
--   check_ts              the horizon: the time for which this holds
--   hours_until_promise   promised_delivery_ts - check_ts, negative once it has passed
--   sla_status            on_time, late, no_promise, breached, at_risk, on_track, or the stage that ended the wait
create or replace view sla_status as
select
    order_id,
    tracking_number,
    customer_id,
    carrier,
    current_stage,
    promised_delivery_ts,
    delivered_at,
    horizon() as check_ts,
    hours_between(horizon(), promised_delivery_ts) as hours_until_promise,
    outcome as sla_status
from parcels;
