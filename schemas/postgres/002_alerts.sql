-- The life of each alert: raised, then cleared, then retracted, never back. One taken back that proves true after all
-- is another occurrence of the same alert, and goes before the earlier ones.
create table sla_alerts (
    order_id text collate "C" not null,
    tracking_number text collate "C" not null,
    kind text collate "C" not null,
    due_ts timestamptz not null,
    -- Two troubles at one moment, for two reasons, are two alerts.
    alert_id text collate "C" not null,
    occurrence integer not null,
    state text collate "C" not null check (state in ('raised', 'cleared', 'retracted')),
    state_rank integer not null,
    state_ts timestamptz not null,
    evidence text collate "C" not null,
    check_ts timestamptz not null default clock_timestamp(),
    primary key (order_id, tracking_number, kind, due_ts, alert_id)
);

-- With what is known of the parcel now: copied, it would depend on which of the two was written first.
create view sla_alerts_live as
select
    order_id, tracking_number, customer_id, current_stage, carrier, promised_delivery_ts, kind, due_ts, state,
    state_ts, evidence, alert_id, check_ts
from sla_alerts
left join order_fulfillment_live using (order_id, tracking_number)
where state <> 'retracted';

create view sla_breach_alerts as
select
    order_id, customer_id, current_stage, carrier, promised_delivery_ts, now() as check_ts,
    extract(epoch from promised_delivery_ts - now()) / 3600 as hours_until_promise,
    case kind when 'sla_breached' then 'breached' else 'at_risk' end as sla_status,
    tracking_number
from (
    -- Of a promise that was moved by an earlier event only the last alert counts, and a breach goes before a risk.
    select distinct on (order_id, tracking_number) *
    from sla_alerts_live
    where state = 'raised' and kind in ('sla_at_risk', 'sla_breached')
    order by order_id, tracking_number, due_ts desc
) as open;
