"""The parcels of a load: made up, each with a journey of a few updates that come one after the other."""

from typing import NamedTuple

from schemas.fields import MINUTE, Micros

JOURNEY = ("picked_up", "arrived_at_hub", "departed_hub", "out_for_delivery", "delivered")
"""What is told of each parcel."""


class Parcel(NamedTuple):
    """One parcel: its waybill, and when its journey began."""

    tracking_number: str
    began: Micros

    def at(self, step: int) -> Micros:
        """Give when a step of its journey was."""
        return self.began + step * MINUTE


class Request(NamedTuple):
    """One request as a sender would send it."""

    body: bytes
    headers: dict[str, str]
    query: str = ""


def parcel(number: int, run: str, now: Micros) -> Parcel:
    """Give a parcel of a run by its number; no two runs have one in common.

    >>> parcel(7, "A1", 0).tracking_number
    'LDA100000007'
    """
    # Whole seconds, since many carriers tell no parts of them; in the past, with all of its journey.
    began = now - now % 1_000_000 - len(JOURNEY) * MINUTE
    return Parcel(f"LD{run}{number:08d}", began)
