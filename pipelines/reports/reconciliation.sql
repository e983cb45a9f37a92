-- Reconciliation: what the live side and the carriers' files tell apart
-- Findings are chosen by the day of the scan, or of the live event where there is no scan.
--   carrier                whose files, and whose webhooks
--   milestones             milestones that its files tell of parcels the shop knows (pickups, attempts, deliveries and the
--                          like; movement between hubs is not awaited live)
--   missed_live            of these, milestones of which a webhook never came; the file's scans were taken in its place
--   missed_live_pct        missed_live / milestones * 100: the share of webhooks that never came
--   missed_batch           milestones that came live and are not in the file of their day
--   time_conflict          milestones that both tell, at times too far apart
--   batch_counts           of these, milestones for which the file's time counts
--   conflict_p50_min       median minutes between the two times
--   unknown_waybills       waybills in its files that no event tells of
--   after_terminal         parcels' stages scanned after their journey had ended
with known as (select distinct carrier, tracking_number from parcels),

told as (
    select carrier, count(*) as milestones
    from (
        select distinct carrier, tracking_number, stage
        from hub_scans
        semi join known using (carrier, tracking_number)
        where in_period(scan_ts) and scan_ts <= horizon() and stage in (select stage from stages where critical)
    )
    group by carrier
),

found as (
    select
        carrier,
        count(*) filter (finding = 'missed_live') as missed_live,
        count(*) filter (finding = 'missed_batch') as missed_batch,
        count(*) filter (finding = 'time_conflict') as time_conflict,
        count(*) filter (finding = 'time_conflict' and counts = 'batch') as batch_counts,
        quantile_cont(abs(minutes_between(live_ts, batch_ts)), 0.5) filter (finding = 'time_conflict')
            as conflict_p50_min,
        count(*) filter (finding = 'unknown_waybill') as unknown_waybills,
        count(*) filter (finding = 'after_terminal') as after_terminal
    from reconciliation
    where in_period(at_ts)
    group by carrier
)

select
    carrier,
    coalesce(milestones, 0) as milestones,
    coalesce(missed_live, 0) as missed_live,
    missed_live * 100 / nullif(milestones, 0) as missed_live_pct,
    coalesce(missed_batch, 0) as missed_batch,
    coalesce(time_conflict, 0) as time_conflict,
    coalesce(batch_counts, 0) as batch_counts,
    conflict_p50_min,
    coalesce(unknown_waybills, 0) as unknown_waybills,
    coalesce(after_terminal, 0) as after_terminal
from told
full join found using (carrier)
order by carrier;
