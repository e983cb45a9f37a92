-- What the desk adds: who has taken on which alert, as it stands and step by step. An alert that comes again after it
-- was taken back is another occurrence, and nobody's yet.
create table alert_handling (
    alert_id text collate "C" not null,
    occurrence integer not null,
    acknowledged_by text collate "C",
    acknowledged_at timestamptz,
    assignee text collate "C",
    assigned_by text collate "C",
    assigned_at timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (alert_id, occurrence)
);

create table alert_steps (
    id bigint generated always as identity primary key,
    alert_id text collate "C" not null,
    occurrence integer not null,
    step text collate "C" not null check (step in ('acknowledge', 'reopen', 'take', 'assign', 'note')),
    who text collate "C" not null,
    assignee text collate "C",
    note text collate "C",
    at timestamptz not null default clock_timestamp()
);

create index alert_steps_of_alert on alert_steps (alert_id, id);

-- The queue is read in the order of due times, and from anywhere in it.
create index sla_alerts_open on sla_alerts (due_ts, alert_id) where state = 'raised';
create index sla_alerts_by_id on sla_alerts (alert_id);
create index order_fulfillment_live_waybill on order_fulfillment_live (tracking_number);

create view desk_queue as
select
    alert_id, occurrence, order_id, tracking_number, kind, due_ts, evidence, check_ts,
    carrier, warehouse_id, current_stage, promised_delivery_ts,
    acknowledged_by, acknowledged_at, assignee, alert_handling.updated_at as handled_at
from sla_alerts
left join order_fulfillment_live using (order_id, tracking_number)
left join alert_handling using (alert_id, occurrence)
where state = 'raised';
