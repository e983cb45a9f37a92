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
--   successor                      the waybill that took the place of this one, by the earliest event that tells it
--
-- pieces.settled: journeys that are known without looking at their events, as rows like those of pieces.journeys.
create view if not exists pieces.settled as from pieces.journeys where false;

create or replace view parcels as
with known as (
    from pieces.journeys
    union all by name
    from pieces.settled
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
    from known
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
    attempts_failed,
    exceptions,
    promised_delivery_ts,
    latest_promised_delivery_ts,
    current_stage,
    outcome,
    case outcome
        when 'late' then minutes_between(promised_delivery_ts, delivered_at)
        when 'breached' then minutes_between(promised_delivery_ts, horizon())
    end as late_minutes,
    successor
from outcomes;
