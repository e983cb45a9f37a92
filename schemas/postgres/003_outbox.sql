-- What is to be told, once each: written in the transaction that moves the parcel, sent by the relay.
create table outbox (
    id bigint generated always as identity primary key,
    order_id text collate "C" not null,
    tracking_number text collate "C" not null,
    milestone text collate "C" not null,
    channel text collate "C" not null,
    happened_at timestamptz not null,
    payload jsonb not null,
    -- pending: to be sent; sending: on its way; sent; failed: its outcome is unknown and it must not be sent twice;
    -- dead: refused too often; stale: overtaken by later news before it was written, kept and not sent.
    state text collate "C" not null
        check (state in ('pending', 'sending', 'sent', 'failed', 'dead', 'stale')),
    attempts integer not null default 0,
    next_try_at timestamptz not null default clock_timestamp(),
    leased_until timestamptz,
    claim text collate "C",
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    last_error text,
    unique (order_id, tracking_number, milestone, channel)
);

create index outbox_open on outbox (channel, next_try_at, id) where state in ('pending', 'sending');
