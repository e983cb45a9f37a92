-- latest_alerts: each alert ever raised, in the latest state of its life: raised, then cleared, then retracted.
create or replace view latest_alerts as
select *
from alerts
-- More evidence can only move an alert forward in its life, whenever it came in.
qualify row_number() over (
    partition by alert_id
    order by list_position(['raised', 'cleared', 'retracted'], state) desc, state_ts
) = 1
    -- After a kill the next worker takes back whatever may have been told; what never was is no alert.
    and bool_or(state = 'raised') over (partition by alert_id);
