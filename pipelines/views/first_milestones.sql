-- first_milestones: when each parcel first reached each stage. Later rows of `milestones` are evidence, no more.
--   order_id, tracking_number   the parcel
--   milestone                   the stage it reached
--   event_ts                    the earliest time at which it did
create or replace view first_milestones as
select order_id, tracking_number, milestone, min(event_ts) as event_ts
from milestones
group by order_id, tracking_number, milestone;
