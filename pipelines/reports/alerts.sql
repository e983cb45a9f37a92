-- Alerts: what was awaited and did not come in time
-- Alerts are chosen by the day they were due. Each alert counts in one state, its latest (views/latest_alerts.sql).
--   kind                     what was awaited
--   raised                   alerts ever raised: cleared + retracted + open
--   cleared                  the awaited came after all, late
--   retracted                an event that arrived late showed that the alert was never true
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
    count(*) filter (state = 'retracted') as retracted,
    count(*) filter (state = 'raised') as open,
    quantile_cont(minutes_between(due_ts, state_ts), 0.50) filter (state = 'cleared') as median_min_to_clear,
    quantile_cont(minutes_between(due_ts, state_ts), 0.90) filter (state = 'cleared') as p90_min_to_clear,
    count(distinct (order_id, tracking_number)) as parcels,
    min(due_ts) filter (state = 'raised') as oldest_open_due_ts,
    max(due_ts) as newest_due_ts
from latest_alerts
where in_period(due_ts)
group by kind
order by kind;
