-- Lanes: how parcels fare by where they come from and where they go
--   origin_region            the region the parcel leaves from, of its earliest event that names one
--   dest_region              the region the parcel goes to, likewise
--   total_orders … parcels   see views/scorecard.sql
from scorecard(['origin_region', 'dest_region']) order by origin_region, dest_region;
