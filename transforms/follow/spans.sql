-- The time from one moment to another; negative when the second comes first, null when either is unknown.
-- Averages are taken of whole microseconds: their sum is exact, hence the same in whatever order rows are read.
-- By two whole numbers: date_diff asks a calendar, and took ten times as long.
create or replace macro micros_between(one, other) as epoch_us(other) - epoch_us(one);
create or replace macro minutes_between(one, other) as micros_between(one, other) / 60e6;
create or replace macro hours_between(one, other) as micros_between(one, other) / 3600e6;
