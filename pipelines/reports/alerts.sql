-- Alerts: what was awaited and did not come in time
-- Alerts are chosen by the day they were due. What was retracted is no alert; views/latest_alerts.sql still has it.
--   kind                     what was awaited
--   raised                   alerts that were true when due: cleared + open
--   cleared                  the awaited came after all, late
--   open                     still raised
--   retracted                raised, and then shown never to have been true by an event that came late: the one number of all
--                            reports that depends on the order in which events came
--   median_min_to_clear      median minutes from due to cleared, of the cleared ones
--   p90_min_to_clear         the same, 90 in 100 took no longer
--   parcels                  distinct parcels concerned
--   warnings                 of the raised ones, those due before the parcel's first promise: all up to lead_p90_min is of these
--   came_true                the parcel then came late, is overdue, was lost, or its delivery failed
--   averted                  the parcel was delivered by its first promise all the same
--   came_true_pct            came_true / (came_true + averted) * 100; what is still open, cancelled or sent back is neither
--   lead_p50_min             median minutes from due to the first promise, of those that came true: the time there was to act
--   lead_p90_min             the same, 90 in 100 had no more
--   oldest_open_due_ts       since when the longest open one is due
--   newest_due_ts            when the newest one was due
with judged as (
    select
        a.*,
        outcome,
        state <> 'retracted' as holds,
        holds and due_ts < promised_delivery_ts as warned,
        warned and outcome in ('late', 'breached', 'lost', 'failed') as came_true,
        minutes_between(due_ts, promised_delivery_ts) as lead
    from latest_alerts a
    left join parcels using (order_id, tracking_number)
    where in_period(due_ts)
)

select
    kind,
    count(*) filter (holds) as raised,
    count(*) filter (state = 'cleared') as cleared,
    count(*) filter (state = 'raised') as open,
    count(*) filter (not holds) as retracted,
    quantile_cont(minutes_between(due_ts, state_ts), 0.50) filter (state = 'cleared') as median_min_to_clear,
    quantile_cont(minutes_between(due_ts, state_ts), 0.90) filter (state = 'cleared') as p90_min_to_clear,
    count(distinct (order_id, tracking_number)) filter (holds) as parcels,
    count(*) filter (warned) as warnings,
    count(*) filter (came_true) as came_true,
    count(*) filter (warned and outcome = 'on_time') as averted,
    count(*) filter (came_true) * 100 / nullif(count(*) filter (came_true or (warned and outcome = 'on_time')), 0)
        as came_true_pct,
    quantile_cont(lead, 0.50) filter (came_true) as lead_p50_min,
    quantile_cont(lead, 0.90) filter (came_true) as lead_p90_min,
    min(due_ts) filter (state = 'raised') as oldest_open_due_ts,
    max(due_ts) filter (holds) as newest_due_ts
from judged
group by kind
order by kind;
