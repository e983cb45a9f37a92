-- Carriers: who keeps the promise
--   carrier                  the parcel's carrier, of its earliest event that names one
--   total_orders … parcels   see views/scorecard.sql
from scorecard(['carrier']) order by carrier;
