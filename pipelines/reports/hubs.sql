-- Hubs: how long parcels stay
-- Legs are chosen by the day on which the parcel came in.
--   carrier            whose hub it is
--   hub                the hub
--   legs               stays of parcels at it
--   dwell_p50_min      median minutes from in-scan to out-scan, of the stays that have both
--   dwell_p90_min      the same, 90 in 100 were no longer
--   over_12h           stays known to have been longer than 12 hours, the open ones counted up to the horizon
--   scans_missing_pct  stays whose in- or out-scan is missing / legs * 100
--   open               parcels not seen to leave
--   open_p50_min       median minutes they have been there by the horizon
--   open_p90_min       the same, 90 in 100 have been there no longer
--   oldest_open_ts     since when the longest of them is there
with stays as (
    select *, in_inferred or out_inferred as missing, out_ts is null as open,
        minutes_between(in_ts, greatest(horizon(), in_ts)) as waited
    from hub_legs
    where in_period(in_ts)
)

select
    carrier,
    hub,
    count(*) as legs,
    quantile_cont(dwell_minutes, 0.5) filter (not missing) as dwell_p50_min,
    quantile_cont(dwell_minutes, 0.9) filter (not missing) as dwell_p90_min,
    count(*) filter (coalesce(dwell_minutes, waited) > 720) as over_12h,
    100 * avg(missing::int) as scans_missing_pct,
    count(*) filter (open) as open,
    quantile_cont(waited, 0.5) filter (open) as open_p50_min,
    quantile_cont(waited, 0.9) filter (open) as open_p90_min,
    min(in_ts) filter (open) as oldest_open_ts
from stays
group by carrier, hub
order by carrier, hub;
