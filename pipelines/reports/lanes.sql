-- Lanes: how a carrier's parcels fare by where they come from and where they go
-- A lane is in chronic delay where it has enough parcels and is late so often that the carrier's own mean cannot explain
-- it: the whole interval lies above that mean. The interval is Wilson's for a share (1927), of 99.8 in 100 (z = 3.09), as
-- funnel plots have it (Spiegelhalter 2005): so wide because many lanes are looked at, and of a thousand that are no worse
-- than the rest, one is told.
--   carrier                  the parcel's carrier, of its earliest event that names one
--   origin_region            the region the parcel leaves from, likewise
--   dest_region              the region the parcel goes to, likewise
--   chronic                  the lane is in chronic delay: judged is 30 at least, and late_low_pct is above carrier_late_pct
--   judged                   parcels that were delivered on time or late, or are open and overdue
--   late_pct                 of these, late or overdue ones * 100
--   late_low_pct             where the interval of late_pct begins
--   late_high_pct            where it ends
--   carrier_late_pct         late_pct of all lanes of the carrier
--   total_orders … parcels   see views/scorecard.sql
with lanes as (
    select
        carrier,
        origin_region,
        dest_region,
        count(*) filter (outcome in ('on_time', 'late', 'breached')) as judged,
        count(*) filter (outcome in ('late', 'breached')) as late,
        sum(late) over carriers * 100 / nullif(sum(judged) over carriers, 0) as carrier_late_pct
    from parcels
    where in_period(first_event_ts)
    group by carrier, origin_region, dest_region
    window carriers as (partition by carrier)
),

shares as (
    select *, late / nullif(judged, 0) as share, 3.09 ^ 2 as z2, share + z2 / (2 * judged) as middle,
        3.09 * sqrt(share * (1 - share) / judged + z2 / (4 * judged ^ 2)) as half
    from lanes
),

intervals as (
    select
        carrier,
        origin_region,
        dest_region,
        judged,
        share * 100 as late_pct,
        if(judged > 0, greatest(0, (middle - half) / (1 + z2 / judged)) * 100, null) as late_low_pct,
        if(judged > 0, least(1, (middle + half) / (1 + z2 / judged)) * 100, null) as late_high_pct,
        carrier_late_pct
    from shares
)

select
    s.carrier,
    s.origin_region,
    s.dest_region,
    judged >= 30 and late_low_pct > carrier_late_pct as chronic,
    i.* exclude (carrier, origin_region, dest_region),
    s.* exclude (carrier, origin_region, dest_region)
from scorecard(['carrier', 'origin_region', 'dest_region']) s
join intervals i on (s.carrier, s.origin_region, s.dest_region) is not distinct from (i.carrier, i.origin_region, i.dest_region)
order by all;
