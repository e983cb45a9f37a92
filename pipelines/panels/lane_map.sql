-- Late parcels, by lane
--   origin_region    where the parcel leaves from
--   dest_region      where it goes
--   judged           parcels delivered on time or late, or open and overdue
--   late_pct         of these, late or overdue ones * 100
select
    coalesce(origin_region, '(unknown)') as origin_region,
    coalesce(dest_region, '(unknown)') as dest_region,
    count(*) as judged,
    count(*) filter (outcome <> 'on_time') * 100 / judged as late_pct
from parcels
where in_period(first_event_ts) and outcome in ('on_time', 'late', 'breached')
group by all
order by all;
