-- Headline: the period in a few figures
--   parcels                parcels whose first event is of the period
--   kept_rate_pct          promises kept / promises that have passed * 100, whatever became of the parcel
--   on_time_rate_pct       delivered by the first promise / delivered * 100
--   late                   parcels delivered late, or open and overdue
--   transit_p50_hours      median hours from the carrier's first scan to delivery
--   first_attempt_pct      delivered at the first attempt / parcels with a delivery or a failed attempt * 100
--   lost                   parcels lost
--   came_true_pct          at-risk warnings whose parcel came late after all / those decided * 100
with chosen as (
    from parcels where in_period(first_event_ts)
),

warnings as (
    select
        outcome in ('late', 'breached', 'lost', 'failed') as came_true,
        came_true or outcome = 'on_time' as decided
    from current_alerts
    join parcels using (order_id, tracking_number)
    where kind = 'sla_at_risk' and in_period(due_ts) and due_ts < promised_delivery_ts
)

select
    count(*) as parcels,
    count(*) filter (promised_delivery_ts <= horizon() and delivered_at <= promised_delivery_ts) * 100
        / nullif(count(*) filter (promised_delivery_ts <= horizon()), 0) as kept_rate_pct,
    count(*) filter (delivered_at <= promised_delivery_ts) * 100 / nullif(count(delivered_at), 0) as on_time_rate_pct,
    count(*) filter (outcome in ('late', 'breached')) as late,
    quantile_cont(hours_between(carrier_scanned_at, delivered_at), 0.5) as transit_p50_hours,
    count(*) filter (delivered_at is not null and coalesce(attempt_failed_at >= delivered_at, true)) * 100
        / nullif(count(*) filter (delivered_at is not null or attempts_failed > 0), 0) as first_attempt_pct,
    count(*) filter (current_stage = 'lost') as lost,
    (select count(*) filter (came_true) * 100 / nullif(count(*) filter (decided), 0) from warnings) as came_true_pct
from chosen;
