-- current_alerts: the alerts that hold, each in its latest state; retracted ones were never true.
--   kind, due_ts             what was awaited, and until when
--   state, state_ts          raised (since due_ts), or cleared (when the awaited came, late)
--   evidence                 what shows it
--   carrier, warehouse_id    of the parcel; null where its events are not in the lake
create or replace view current_alerts as
select
    order_id,
    tracking_number,
    kind,
    due_ts,
    state,
    state_ts,
    evidence,
    alert_id,
    carrier,
    warehouse_id
from latest_alerts
left join (select order_id, tracking_number, carrier, warehouse_id from parcels) using (order_id, tracking_number)
where state <> 'retracted';
