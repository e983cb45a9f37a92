-- parcels: one row a parcel (order_id, tracking_number), concluded from its events and the horizon alone.
--   customer_id … currency         of the earliest event, by (event_ts, event_id), that tells it
--   declared_value                 the highest one told
--   first_event_ts, last_event_ts, events   of all its events
--   picked_at … returned_at        earliest time of the stage
--   delivered_at                   earliest delivery, unless a return had begun before it: a return leg's does not count
--   closed_at                      earliest time at which nobody awaited the delivery any more
--   attempts_failed, exceptions    distinct times of such events
--   promised_delivery_ts           the first promise by event time: the one that counts
--   latest_promised_delivery_ts    the last promise by event time
--   current_stage                  the highest rank reached, never the newest event
--   outcome                        where the promise stands at the horizon: on_time, late, no_promise, breached, at_risk,
--                                  on_track, or the stage that ended it: cancelled, failed, lost, return_started, returned
--   late_minutes                   how far the delivery, or the wait for it until now, exceeds the promise; null if not
create or replace view parcels as
with journeys as (
    select
        order_id,
        tracking_number,
        arg_min(customer_id, (event_ts, event_id)) as customer_id,
        arg_min(warehouse_id, (event_ts, event_id)) as warehouse_id,
        arg_min(carrier, (event_ts, event_id)) as carrier,
        arg_min(origin_region, (event_ts, event_id)) as origin_region,
        arg_min(dest_region, (event_ts, event_id)) as dest_region,
        max(declared_value) as declared_value,
        arg_min(currency, (event_ts, event_id)) as currency,
        min(event_ts) as first_event_ts,
        max(event_ts) as last_event_ts,
        count(*) as events,
        min(event_ts) filter (stage = 'picked') as picked_at,
        min(event_ts) filter (stage = 'packed') as packed_at,
        min(event_ts) filter (stage = 'labeled') as labeled_at,
        min(event_ts) filter (stage = 'carrier_scanned') as carrier_scanned_at,
        min(event_ts) filter (stage = 'in_transit') as in_transit_at,
        min(event_ts) filter (stage = 'hub_in') as hub_in_at,
        min(event_ts) filter (stage = 'hub_out') as hub_out_at,
        min(event_ts) filter (stage = 'exception') as exception_at,
        min(event_ts) filter (stage = 'out_for_delivery') as out_for_delivery_at,
        min(event_ts) filter (stage = 'attempt_failed') as attempt_failed_at,
        min(event_ts) filter (stage = 'available_for_pickup') as available_for_pickup_at,
        min(event_ts) filter (stage = 'delivered') as any_delivered_at,
        min(event_ts) filter (stage = 'failed') as failed_at,
        min(event_ts) filter (stage = 'lost') as lost_at,
        min(event_ts) filter (stage = 'cancelled') as cancelled_at,
        min(event_ts) filter (stage = 'return_started') as return_started_at,
        min(event_ts) filter (stage = 'returned') as returned_at,
        min(event_ts) filter (closing) as closed_at,
        -- Lists, since there are few of these: count(distinct) would cost more than all the rest.
        len(list_distinct(list(event_ts) filter (stage = 'attempt_failed'))) as attempts_failed,
        len(list_distinct(list(event_ts) filter (stage = 'exception'))) as exceptions,
        arg_min(promised_delivery_ts, (event_ts, event_id)) as promised_delivery_ts,
        arg_max(promised_delivery_ts, (event_ts, event_id)) as latest_promised_delivery_ts,
        arg_max(stage, rank) as current_stage,
        arg_max(stage, rank) filter (closing and stage <> 'delivered') as closed_as
    from events
    join stages using (stage)
    where order_id is not null
    group by order_id, tracking_number
),

deliveries as (
    select *, case when least(return_started_at, returned_at) < any_delivered_at then null else any_delivered_at end as delivered_at
    from journeys
),

outcomes as (
    select
        *,
        case
            when delivered_at is not null and promised_delivery_ts is null then 'no_promise'
            when delivered_at <= promised_delivery_ts then 'on_time'
            when delivered_at > promised_delivery_ts then 'late'
            when closed_as is not null then closed_as
            when promised_delivery_ts is null then 'no_promise'
            when horizon() > promised_delivery_ts then 'breached'
            when horizon() >= promised_delivery_ts - at_risk_limit(carrier, warehouse_id) then 'at_risk'
            else 'on_track'
        end as outcome
    from deliveries
)

select
    order_id,
    tracking_number,
    customer_id,
    warehouse_id,
    carrier,
    origin_region,
    dest_region,
    declared_value,
    currency,
    first_event_ts,
    last_event_ts,
    events,
    picked_at,
    packed_at,
    labeled_at,
    carrier_scanned_at,
    in_transit_at,
    hub_in_at,
    hub_out_at,
    exception_at,
    out_for_delivery_at,
    attempt_failed_at,
    available_for_pickup_at,
    delivered_at,
    failed_at,
    lost_at,
    cancelled_at,
    return_started_at,
    returned_at,
    closed_at,
    coalesce(attempts_failed, 0) as attempts_failed,
    coalesce(exceptions, 0) as exceptions,
    promised_delivery_ts,
    latest_promised_delivery_ts,
    current_stage,
    outcome,
    case outcome
        when 'late' then minutes_between(promised_delivery_ts, delivered_at)
        when 'breached' then minutes_between(promised_delivery_ts, horizon())
    end as late_minutes
from outcomes;
