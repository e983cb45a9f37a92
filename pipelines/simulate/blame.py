"""Whose fault it is that a parcel is late: minutes of the shipper, the carrier, the customer, and of nobody here."""

from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

from pipelines.simulate.hubs import Filed
from pipelines.simulate.journey import Step
from pipelines.simulate.reckon import Times
from schemas.fields import HOUR, MINUTE, Micros
from schemas.stages import CARRIER_STAGES

_PARTIES = {"consignee": "customer", "customs": "external", "weather": "external", "retailer": "shipper"}
"""By the first word of the reason; all else is the carrier's."""
_PACKING, _HANDING_OVER = 30 * MINUTE, 2 * HOUR


class Evidence(NamedTuple):
    """What bears on a parcel's lateness: its incidents' reasons by time, all times it was seen, the shipper's delay."""

    incidents: dict[Micros, str]
    seen: list[Micros]
    slow: int


class Shares(NamedTuple):
    """Microseconds of a delay by whose they are."""

    shipper: int
    carrier: int
    customer: int
    external: int


def evidence_of(events: list[Step], scans: list[Filed], times: Times) -> Evidence:
    """Gather the evidence of a parcel."""
    incidents: dict[Micros, str] = {}
    for step in events:
        if step.stage in ("exception", "attempt_failed"):
            reason = step.reason or ""
            incidents[step.ts] = min(incidents.get(step.ts, reason), reason)
    seen = {step.ts for step in events if step.stage in CARRIER_STAGES} | {scan.ts for scan in scans}
    waits = (("picked", "packed", _PACKING), ("labeled", "carrier_scanned", _HANDING_OVER))
    slow = sum(max(0, times[b] - times[a] - limit) for a, b, limit in waits if a in times and b in times)
    return Evidence(incidents, sorted(seen), slow)


def share(evidence: Evidence, late: int, end: Micros) -> Shares:
    """Share a delay of `late` microseconds, of which the last is at `end`."""
    lost = Counter({"shipper": evidence.slow})
    for ts, reason in evidence.incidents.items():
        if ts < end:
            following = bisect_right(evidence.seen, ts)
            until = evidence.seen[following] if following < len(evidence.seen) else end
            lost[_PARTIES.get(reason.split("_")[0], "carrier")] += min(until, end) - ts
    external = min(late, lost["external"])
    customer = min(late - external, lost["customer"])
    shipper = min(late - external - customer, lost["shipper"])
    return Shares(shipper, late - external - customer - shipper, customer, external)
