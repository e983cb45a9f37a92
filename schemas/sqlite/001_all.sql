-- The tables of schemas/postgres for one machine without a server. Times are whole microseconds since 1970.
create table order_fulfillment_live (
    order_id text not null,
    tracking_number text not null,
    customer_id text,
    warehouse_id text,
    carrier text,
    picked_at integer,
    packed_at integer,
    labeled_at integer,
    carrier_scanned_at integer,
    exception_at integer,
    exception_reason text,
    out_for_delivery_at integer,
    attempt_failed_at integer,
    attempt_failed_reason text,
    available_for_pickup_at integer,
    first_delivered_at integer,
    first_returned_at integer,
    delivered_at integer generated always as
        (case when first_returned_at < first_delivered_at then null else first_delivered_at end) stored,
    closed_at integer,
    promised_delivery_ts integer,
    latest_promised_delivery_ts integer,
    current_stage text not null,
    current_rank integer not null,
    pick_to_pack_minutes real generated always as ((packed_at - picked_at) / 6e7) stored,
    label_to_scan_minutes real generated always as ((carrier_scanned_at - labeled_at) / 6e7) stored,
    customer_by text,
    warehouse_by text,
    carrier_by text,
    promised_by text,
    latest_promised_by text,
    updated_at integer not null default (cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    primary key (order_id, tracking_number)
) strict, without rowid;

create table sla_alerts (
    order_id text not null,
    tracking_number text not null,
    kind text not null,
    due_ts integer not null,
    alert_id text not null,
    occurrence integer not null,
    state text not null check (state in ('raised', 'cleared', 'retracted')),
    state_rank integer not null,
    state_ts integer not null,
    evidence text not null,
    check_ts integer not null default (cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    primary key (order_id, tracking_number, kind, due_ts, alert_id)
) strict, without rowid;

create view sla_alerts_live as
select
    order_id, tracking_number, customer_id, current_stage, carrier, promised_delivery_ts, kind, due_ts, state,
    state_ts, evidence, alert_id, check_ts
from sla_alerts
left join order_fulfillment_live using (order_id, tracking_number)
where state <> 'retracted';

create table outbox (
    id integer primary key,
    order_id text not null,
    tracking_number text not null,
    milestone text not null,
    channel text not null,
    happened_at integer not null,
    payload text not null,
    state text not null check (state in ('pending', 'sending', 'sent', 'failed', 'dead', 'stale')),
    attempts integer not null default 0,
    next_try_at integer not null default 0,
    leased_until integer,
    claim text,
    created_at integer not null default (cast((julianday('now') - 2440587.5) * 86400e6 as integer)),
    sent_at integer,
    last_error text,
    unique (order_id, tracking_number, milestone, channel)
) strict;

create index outbox_open on outbox (channel, next_try_at, id) where state in ('pending', 'sending');
