-- How each parcel stands. Rows only move forward: the columns merge, by `…_by` where their own order does not tell.
-- Collation "C" everywhere: text sorts here as it does where the rows are made.
create table order_fulfillment_live (
    order_id text collate "C" not null,
    tracking_number text collate "C" not null,
    customer_id text collate "C",
    warehouse_id text collate "C",
    carrier text collate "C",
    picked_at timestamptz,
    packed_at timestamptz,
    labeled_at timestamptz,
    carrier_scanned_at timestamptz,
    exception_at timestamptz,
    exception_reason text collate "C",
    out_for_delivery_at timestamptz,
    attempt_failed_at timestamptz,
    attempt_failed_reason text collate "C",
    available_for_pickup_at timestamptz,
    first_delivered_at timestamptz,
    first_returned_at timestamptz,
    -- What is delivered after the return began went back to the sender.
    delivered_at timestamptz generated always as
        (case when first_returned_at < first_delivered_at then null else first_delivered_at end) stored,
    closed_at timestamptz,
    promised_delivery_ts timestamptz,
    latest_promised_delivery_ts timestamptz,
    current_stage text collate "C" not null,
    current_rank integer not null,
    pick_to_pack_minutes double precision generated always as
        ((extract(epoch from packed_at - picked_at) / 60)::double precision) stored,
    label_to_scan_minutes double precision generated always as
        ((extract(epoch from carrier_scanned_at - labeled_at) / 60)::double precision) stored,
    customer_by text collate "C",
    warehouse_by text collate "C",
    carrier_by text collate "C",
    promised_by text collate "C",
    latest_promised_by text collate "C",
    updated_at timestamptz not null default clock_timestamp(),
    primary key (order_id, tracking_number)
) with (fillfactor = 70);

-- An order is as far as the parcel of it that is least far.
create view order_status_by_order as
select distinct on (order_id)
    order_id, customer_id, warehouse_id, carrier, tracking_number,
    picked_at, packed_at, labeled_at, carrier_scanned_at, out_for_delivery_at, attempt_failed_at,
    available_for_pickup_at, delivered_at, closed_at, promised_delivery_ts, latest_promised_delivery_ts,
    current_stage, current_rank, pick_to_pack_minutes, label_to_scan_minutes,
    count(*) over parcels as parcels,
    count(delivered_at) over parcels as parcels_delivered,
    max(updated_at) over parcels as updated_at
from order_fulfillment_live
window parcels as (partition by order_id)
order by order_id, current_rank, tracking_number;
