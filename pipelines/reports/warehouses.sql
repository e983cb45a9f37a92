-- Warehouses: how parcels fare by the place they leave from
--   warehouse_id             the parcel's warehouse, of its earliest event that names one
--   total_orders … parcels   see views/scorecard.sql
from scorecard(['warehouse_id']) order by warehouse_id;
