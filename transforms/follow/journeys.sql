-- pieces.journeys: one row a parcel (order_id, tracking_number), concluded from its events alone; the columns are those of
-- parcels, and closed_as: the stage other than a delivery that ended the wait.
--
-- pieces.told: the events of the parcels that are to be concluded from them; all, where nothing says which are settled.
create schema if not exists pieces;
create view if not exists pieces.told as from events;

create or replace view pieces.journeys as
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
    arg_min(successor, (event_ts, event_id)) as successor,
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
    case when least(return_started_at, returned_at) < any_delivered_at then null else any_delivered_at end as delivered_at,
    min(event_ts) filter (closing) as closed_at,
    -- Lists, since there are few of these: count(distinct) would cost more than all the rest.
    coalesce(len(list_distinct(list(event_ts) filter (stage = 'attempt_failed'))), 0) as attempts_failed,
    coalesce(len(list_distinct(list(event_ts) filter (stage = 'exception'))), 0) as exceptions,
    arg_min(promised_delivery_ts, (event_ts, event_id)) as promised_delivery_ts,
    arg_max(promised_delivery_ts, (event_ts, event_id)) as latest_promised_delivery_ts,
    arg_max(stage, rank) as current_stage,
    arg_max(stage, rank) filter (closing and stage <> 'delivered') as closed_as
from pieces.told
join stages using (stage)
where order_id is not null
group by order_id, tracking_number;
