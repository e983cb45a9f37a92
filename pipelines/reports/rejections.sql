-- Rejections: records that could not be taken
-- Records are chosen by the day they were received. All from the table rejections.
--   reason                why (schemas/rejections.py tells what each means)
--   records               distinct records rejected for it
--   newest_ts             when the newest one was received
--   example_source        where the newest one came from
--   example_position      its line there
--   example_detail        what was wrong with it
select
    reason,
    count(*) as records,
    max(received_ts) as newest_ts,
    arg_max(source, (received_ts, rejection_id)) as example_source,
    arg_max(position, (received_ts, rejection_id)) as example_position,
    arg_max(detail, (received_ts, rejection_id)) as example_detail
from rejections
where in_period(received_ts)
group by reason
order by records desc, reason;
