-- order_status: where each parcel stands and when it got there. An order sent in two parcels is two rows.
--   picked_at … delivered_at        earliest time of each stage (see parcels)
--   promised_delivery_ts            the first promise
--   current_stage                   the highest rank reached
--   pick_to_pack_minutes            packed_at - picked_at, as the scans say it: negative if they are out of order
--   label_to_scan_minutes           carrier_scanned_at - labeled_at: from label to scan, likewise
--   after these                     more of parcels, and sla_status at the horizon
create or replace view order_status as
select
    order_id,
    tracking_number,
    customer_id,
    warehouse_id,
    carrier,
    picked_at,
    packed_at,
    labeled_at,
    carrier_scanned_at,
    delivered_at,
    promised_delivery_ts,
    current_stage,
    minutes_between(picked_at, packed_at) as pick_to_pack_minutes,
    minutes_between(labeled_at, carrier_scanned_at) as label_to_scan_minutes,
    out_for_delivery_at,
    attempt_failed_at,
    available_for_pickup_at,
    closed_at,
    latest_promised_delivery_ts,
    origin_region,
    dest_region,
    declared_value,
    currency,
    attempts_failed,
    exceptions,
    first_event_ts,
    last_event_ts,
    outcome as sla_status,
    late_minutes,
    successor
from parcels;
