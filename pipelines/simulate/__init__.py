"""A shop that does not exist: seeded events and hub scans to try Milepost on, and the truth to check it against.

Read in this order: shop (carriers, warehouses, lanes, hubs), parcels (one parcel's life), trouble (what is told by one
way only), noise (the stream of lines as it arrives), dialects and hubs (the carriers' nightly files), truth (the rows
to expect, by the simulator's own plain reckoning: reckon, compare, stays, blame, shipments), write (the folder),
generate (all of it).
"""

from pipelines.simulate.dialects import PROFILES
from pipelines.simulate.generate import run

__all__ = ["PROFILES", "run"]
