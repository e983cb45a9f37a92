-- Promise: how good the promises are that customers are given
-- Parcels are chosen by the day of their first event. An error is delivery minus promise: positive where it came late.
--   carrier              the parcel's carrier, of its earliest event that names one
--   parcels              all its parcels
--   promised             of these, parcels that were promised for a time
--   coverage_pct         promised / parcels * 100
--   delivered            promised parcels that were delivered: all that follows up to last_mae_hours is of these
--   bias_hours           mean error of the first promise; below zero, parcels come earlier than said
--   mae_hours            mean size of that error, early or late
--   p90_hours            90 in 100 parcels came no later than so many hours after the first promise
--   within_1d_pct        delivered less than 24 hours before or after the first promise / delivered * 100
--   early_1d_pct         delivered 24 hours before it or earlier / delivered * 100: it promises less than it could
--   last_bias_hours      mean error of the latest promise
--   last_mae_hours       mean size of that error: what promising anew has bought
--   revised              promised parcels that were ever promised for another time than the first
--   revised_pct          revised / promised * 100
--   revisions_each       further times for which a parcel was promised, mean over the promised ones
with times as (
    select order_id, tracking_number, count(distinct promised_delivery_ts) - 1 as revisions
    from events
    where promised_delivery_ts is not null
    group by order_id, tracking_number
    having revisions > 0
),

errors as (
    select
        carrier,
        promised_delivery_ts,
        coalesce(revisions, 0) as revisions,
        micros_between(promised_delivery_ts, delivered_at) as error,
        micros_between(latest_promised_delivery_ts, delivered_at) as last_error
    from parcels
    left join times using (order_id, tracking_number)
    where in_period(first_event_ts)
)

select
    carrier,
    count(*) as parcels,
    count(promised_delivery_ts) as promised,
    promised * 100 / parcels as coverage_pct,
    count(error) as delivered,
    avg(error) / 3600e6 as bias_hours,
    avg(abs(error)) / 3600e6 as mae_hours,
    quantile_cont(error / 3600e6, 0.9) as p90_hours,
    count(*) filter (abs(error) < 86400e6) * 100 / nullif(count(error), 0) as within_1d_pct,
    count(*) filter (error <= -86400e6) * 100 / nullif(count(error), 0) as early_1d_pct,
    avg(last_error) / 3600e6 as last_bias_hours,
    avg(abs(last_error)) / 3600e6 as last_mae_hours,
    count(*) filter (revisions > 0) as revised,
    revised * 100 / nullif(promised, 0) as revised_pct,
    sum(revisions)::bigint / nullif(promised, 0) as revisions_each
from errors
group by carrier
order by carrier;
