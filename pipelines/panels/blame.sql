-- Whose the late hours are
-- As the last night concluded it (transforms/reconcile/shipments.sql tells how).
--   carrier          the parcel's carrier
--   late_parcels     parcels delivered late, or open and overdue
--   shipper_hours    hours late that packing and handing over took beyond the policy's limits
--   carrier_hours    hours late that are the carrier's
--   customer_hours   hours late since nobody took the parcel, or its address was wrong
--   external_hours   hours late that no one can help: customs, weather
select
    coalesce(carrier, '(none)') as carrier,
    count(*) as late_parcels,
    sum((late_by_shipper * 60e6)::bigint) / 3600e6 as shipper_hours,
    sum((late_by_carrier * 60e6)::bigint) / 3600e6 as carrier_hours,
    sum((late_by_customer * 60e6)::bigint) / 3600e6 as customer_hours,
    sum((late_by_external * 60e6)::bigint) / 3600e6 as external_hours
from shipments
where in_period(first_event_ts) and late_minutes is not null
group by all
order by late_parcels desc, carrier;
