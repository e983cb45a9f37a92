-- Feeds: what comes from each carrier, live and by file, and what is wrong with it
-- Live events are a carrier's own stages told live, by events that name it; events are chosen by their day, files by their
-- service day, stays at hubs by the day on which the parcel came in, parcels by the day of their first event.
--   carrier                 whose feeds
--   live_events             live events
--   live_newest_ts          the newest of them
--   silent_hours            hours from then to the horizon
--   longest_silence_hours   the longest time without one before that; whole hours
--   silent                  silent_hours is above longest_silence_hours and above 1: it has never been so quiet
--   lag_p50_min             median minutes from an event to its receipt, of those that tell when they were received
--   lag_p95_min             the same, 95 in 100 were received no later
--   future_stamps           live events stamped later than they were received
--   delivered               parcels that were delivered
--   no_pickup_scan_pct      of these, parcels that were never scanned on pickup, live or by file * 100
--   no_door_scan_pct        of these, parcels never told to be out for delivery * 100
--   after_delivery          of these, parcels of which events tell after the delivery, though nothing was sent back
--   files                   bulk files taken
--   quarantined             bulk files that could not be taken
--   newest_file_day         the newest service day of which a file was taken
--   days_missing            days from its first file up to the newest of any carrier of which no file was taken
--   file_late_p50_hours     median hours from the end of the service day until the file was left
--   file_late_max_hours     the most hours
--   hub_scans_missing_pct   stays at hubs whose in- or out-scan is missing * 100
with live as (
    select carrier, event_ts, micros_between(event_ts, received_ts) as lag
    from events
    where carrier is not null and stage in (select stage from stages where carriers) and in_period(event_ts)
        and not is_fed(event_id, order_id, tracking_number, stage, event_ts)
),

silences as (
    select carrier, max(date_diff('hour', before, hour)) as longest_silence_hours
    from (
        select carrier, hour, lag(hour) over (partition by carrier order by hour) as before
        from (select distinct carrier, date_trunc('hour', event_ts) as hour from live)
    )
    group by carrier
),

lives as (
    select
        carrier,
        count(*) as live_events,
        max(event_ts) as live_newest_ts,
        quantile_cont(lag / 60e6, [0.50, 0.95]) as lag_min,
        count(*) filter (lag < 0) as future_stamps
    from live
    group by carrier
),

journeys as (
    select
        carrier,
        count(*) as delivered,
        count(*) filter (carrier_scanned_at is null) * 100 / delivered as no_pickup_scan_pct,
        count(*) filter (out_for_delivery_at is null) * 100 / delivered as no_door_scan_pct,
        count(*) filter (last_event_ts > delivered_at and return_started_at is null and returned_at is null)
            as after_delivery
    from parcels
    where delivered_at is not null and carrier is not null and in_period(first_event_ts)
    group by carrier
),

files as (
    select
        split_part(file, '/', 1) as carrier,
        count(*) filter (state = 'taken') as files,
        count(*) filter (state <> 'taken') as quarantined,
        max(service_date) filter (state = 'taken') as newest_file_day,
        date_diff('day', min(service_date), max(newest_file_day) over ()) + 1
            - count(distinct service_date) filter (state = 'taken') as days_missing,
        quantile_cont(hours_between(day_ts + interval 24 hours, left_ts), 0.5) as file_late_p50_hours,
        max(hours_between(day_ts + interval 24 hours, left_ts)) as file_late_max_hours
    from hub_files
    where in_period(day_ts)
    group by 1
),

hubs as (
    select carrier, avg((in_inferred or out_inferred)::int) * 100 as hub_scans_missing_pct
    from hub_legs
    where in_period(in_ts)
    group by carrier
)

select
    carrier,
    coalesce(live_events, 0) as live_events,
    live_newest_ts,
    hours_between(live_newest_ts, horizon()) as silent_hours,
    longest_silence_hours,
    silent_hours > greatest(longest_silence_hours, 1) as silent,
    lag_min[1] as lag_p50_min,
    lag_min[2] as lag_p95_min,
    coalesce(future_stamps, 0) as future_stamps,
    coalesce(delivered, 0) as delivered,
    no_pickup_scan_pct,
    no_door_scan_pct,
    coalesce(after_delivery, 0) as after_delivery,
    coalesce(files, 0) as files,
    coalesce(quarantined, 0) as quarantined,
    newest_file_day,
    days_missing,
    file_late_p50_hours,
    file_late_max_hours,
    hub_scans_missing_pct
from lives
left join silences using (carrier)
full join journeys using (carrier)
full join files using (carrier)
full join hubs using (carrier)
order by carrier;
