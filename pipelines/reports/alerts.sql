-- Alerts: what was awaited and did not come in time
-- Alerts are chosen by the day they were due. What was retracted is no alert; views/latest_alerts.sql still has it.
--   kind                     what was awaited
--   raised                   alerts that were true when due: cleared + open
--   cleared                  the awaited came after all, late
--   open                     still raised
--   median_min_to_clear      median minutes from due to cleared, of the cleared ones
--   p90_min_to_clear         the same, 90 in 100 took no longer
--   parcels                  distinct parcels concerned
--   oldest_open_due_ts       since when the longest open one is due
--   newest_due_ts            when the newest one was due
select
    kind,
    count(*) as raised,
    count(*) filter (state = 'cleared') as cleared,
    count(*) filter (state = 'raised') as open,
    quantile_cont(minutes_between(due_ts, state_ts), 0.50) filter (state = 'cleared') as median_min_to_clear,
    quantile_cont(minutes_between(due_ts, state_ts), 0.90) filter (state = 'cleared') as p90_min_to_clear,
    count(distinct (order_id, tracking_number)) as parcels,
    min(due_ts) filter (state = 'raised') as oldest_open_due_ts,
    max(due_ts) as newest_due_ts
from current_alerts
where in_period(due_ts)
group by kind
order by kind;
