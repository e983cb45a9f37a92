-- The tables of schemas/postgres/004_desk.sql for one machine without a server.
create table alert_handling (
    alert_id text not null,
    occurrence integer not null,
    acknowledged_by text,
    acknowledged_at integer,
    assignee text,
    assigned_by text,
    assigned_at integer,
    updated_at integer not null default (cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    primary key (alert_id, occurrence)
) strict, without rowid;

create table alert_steps (
    id integer primary key,
    alert_id text not null,
    occurrence integer not null,
    step text not null check (step in ('acknowledge', 'reopen', 'take', 'assign', 'note')),
    who text not null,
    assignee text,
    note text,
    at integer not null default (cast((julianday('now') - 2440587.5) * 86400e6 as integer))
) strict;

create index alert_steps_of_alert on alert_steps (alert_id, id);

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
