-- Cost: what taking hub scans by file saves, and what late parcels cost
-- Were everything live, critical stages would come as they do now, and movement between hubs too: each of it as a message,
-- found by asking the carrier's API for every parcel in its hands every so often. Unit prices are those of the policy
-- (`costs`, schemas/policy.py), in its currency. Events are chosen by their day, scans and files by theirs, parcels by the
-- day of their first event.
--   carrier                the carrier, as the event, the scan, the file or the parcel's earliest event names it
--   live_messages          events that came live
--   file_rows              hub scans that came by file instead
--   files                  bulk files taken, each one call
--   hybrid_cost            what these cost
--   all_live_messages      messages if everything were live: movement between hubs counts by the side that tells more of it
--   all_live_calls         calls if everything were live: one for every `poll_every` begun of a parcel in the carrier's hands
--   all_live_cost          what these would cost
--   saved                  all_live_cost - hybrid_cost
--   late_parcels           parcels that were delivered late, or are open and overdue
--   late_hours             hours late of all of these
--   late_cost              what they cost: hours late by the parcel's value, and customers who ask where it is
--   late_cost_each         late_cost / late_parcels
--   currency               of all costs
with told as (
    select
        carrier,
        count(*) as live_messages,
        count(*) filter (stage in ('in_transit', 'hub_in', 'hub_out')) as live_moves
    from events
    where in_period(event_ts) and not is_fed(event_id, order_id, tracking_number, stage, event_ts)
    group by carrier
),

filed as (
    select
        carrier,
        count(*) as file_rows,
        count(*) filter (stage in ('in_transit', 'hub_in', 'hub_out')) as file_moves
    from hub_scans
    where in_period(scan_ts)
    group by carrier
),

fetched as (
    select split_part(file, '/', 1) as carrier, count(*) as files
    from hub_files
    where in_period(day_ts) and state = 'taken'
    group by 1
),

carried as (
    select
        carrier,
        greatest(micros_between(carrier_scanned_at, coalesce(closed_at, horizon())), 0) as in_hand,
        (late_minutes * 60e6)::bigint as late,
        coalesce(declared_value >= high_value(), false) as dear
    from parcels
    where in_period(first_event_ts)
),

parcels_of as (
    select
        carrier,
        sum(ceil(in_hand / epoch_us(unit_costs().poll_every)))::bigint as all_live_calls,
        count(late) as late_parcels,
        coalesce(sum(late), 0) / 3600e6 as late_hours,
        coalesce(sum(late) filter (dear), 0) / 3600e6 as dear_hours
    from carried
    group by carrier
),

sums as (
    select carrier, coalesce(sum(columns(* exclude carrier)), 0)
    from (
        from told
        union all by name from filed
        union all by name from fetched
        union all by name from parcels_of
    )
    group by carrier
)

select
    carrier,
    live_messages::bigint as live_messages,
    file_rows::bigint as file_rows,
    files::bigint as files,
    live_messages * unit_costs().live_message + file_rows * unit_costs().file_row + files * unit_costs().api_call
        as hybrid_cost,
    (live_messages - live_moves + greatest(live_moves, file_moves))::bigint as all_live_messages,
    all_live_calls::bigint as all_live_calls,
    all_live_messages * unit_costs().live_message + all_live_calls * unit_costs().api_call as all_live_cost,
    all_live_cost - hybrid_cost as saved,
    late_parcels::bigint as late_parcels,
    late_hours,
    (late_hours - dear_hours) * unit_costs().late_hour + dear_hours * unit_costs().late_hour_high_value
        + late_parcels * unit_costs().contact * unit_costs().contact_share as late_cost,
    late_cost / nullif(late_parcels, 0) as late_cost_each,
    unit_costs().currency as currency
from sums
order by carrier;
