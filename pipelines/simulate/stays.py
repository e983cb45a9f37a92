"""A parcel's stays at hubs, from the scans in the files, and which of them are far too long."""

from collections.abc import Iterator
from typing import Optional

from msgspec import Struct

from pipelines.simulate.hubs import Filed
from pipelines.simulate.journey import Step
from schemas.fields import HOUR, Micros
from schemas.stages import at_or_beyond

LONGEST = 12 * HOUR
"""A parcel of high value that stays longer at a hub is looked after."""

_GONE = at_or_beyond("out_for_delivery")
_IN, _PASSING, _OUT, _LEFT = range(4)
_SCANNED = {"hub_in": _IN, "in_transit": _PASSING, "hub_out": _OUT}
"""In the order in which sightings of one moment can have happened."""


class Stay(Struct):
    """A stay at one hub."""

    hub: str
    start: Micros
    first_is_in: bool
    scans: int = 0
    scanned_out: Optional[Micros] = None
    gone: Optional[Micros] = None
    next: Optional[Micros] = None

    def end(self) -> Optional[Micros]:
        """Give when the parcel left, as far as anybody knows."""
        if self.scanned_out is not None:
            return self.scanned_out
        return min((ts for ts in (self.gone, self.next) if ts is not None), default=None)


def stays_of(scans: list[Filed], events: list[Step]) -> list[Stay]:
    """Give the stays of a parcel, in order, from its scans and all its events."""
    sightings = [(scan.ts, _SCANNED[scan.stage], scan.hub) for scan in scans if scan.stage in _SCANNED]
    sightings += [(seen.ts, _LEFT, "") for seen in scans if seen.stage in _GONE]
    sightings += [(seen.ts, _LEFT, "") for seen in events if seen.stage in _GONE]
    stays: list[Stay] = []
    is_out = False
    for ts, kind, hub in sorted(sightings):
        if kind == _LEFT:
            if stays:
                is_out = True
                stays[-1].gone = ts if stays[-1].gone is None else stays[-1].gone
            continue
        if not stays or stays[-1].hub != hub or (kind == _IN and is_out):
            if stays:
                stays[-1].next = ts
            stays.append(Stay(hub, ts, kind == _IN))
        stays[-1].scans += 1
        if kind == _OUT:
            stays[-1].scanned_out = ts
        if kind != _PASSING:
            is_out = kind == _OUT
    return stays


def overlong(stays: list[Stay], closed: Optional[Micros]) -> Iterator[tuple[Micros, Optional[Micros]]]:
    """Give when each stay became too long, if it did or will unless it ends by then, and when that was over."""
    for stay in stays:
        due = stay.start + LONGEST
        ended = min((ts for ts in (stay.end(), closed) if ts is not None), default=None)
        if ended is None or ended > due:
            yield due, ended
