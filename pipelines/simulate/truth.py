"""The rows to expect, reckoned from what was sent and filed. Plain code that shares nothing with what it checks.

Live truth is of the events alone. The night's is of the events and of the scans that become events. Most parcels are
the same by either: their rows are kept once.
"""

from typing import Optional

import pyarrow as pa

from pipelines.simulate.blame import Evidence, evidence_of
from pipelines.simulate.compare import Difference, afterwards, compare, unknown
from pipelines.simulate.hubs import Filed
from pipelines.simulate.journey import Journey, Step
from pipelines.simulate.reckon import HIGH_VALUE, Reckoning, reckon
from pipelines.simulate.shipments import settle, shipment_of
from pipelines.simulate.shop import START
from pipelines.simulate.stays import Stay, overlong, stays_of
from pipelines.simulate.tables import (
    FINDINGS,
    HUB_LEGS,
    HUB_SCANS,
    SHIPMENTS,
    Columns,
    Facts,
    Overstays,
    joined,
)
from schemas.fields import DAY, MINUTE, Micros, to_batch
from schemas.rows import Shipment

_Parcel = tuple[Journey, list[Step], list[Filed]]


class Truth:
    """What is true of the shop, parcel by parcel; what depends on the horizon is settled at the end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.horizon: Micros = START
        self.both, self.live, self.night = Facts(), Facts(), Facts()
        self.overstays = Overstays()
        self.hub_scans, self.hub_legs, self.findings = Columns(HUB_SCANS), Columns(HUB_LEGS), Columns(FINDINGS)
        self.shipments: list[Shipment] = []
        self.unsettled: list[tuple[Shipment, Evidence]] = []
        self.deferred: list[_Parcel] = []
        self.not_in_files: list[tuple[Journey, Difference]] = []
        self.in_files: set[tuple[str, str, int]] = set()
        self.fed = self.unknown = 0

    def add(self, journey: Journey, sent: list[Step], scans: list[Filed]) -> None:
        """Take a parcel's live events (at least one) and its scans in the files, each in order of time."""
        self.horizon = max(self.horizon, sent[-1].ts)
        self._scanned(journey.carrier.name, journey.tracking_number, scans)
        if scans and scans[-1].ts > self.horizon:
            # The horizon may yet move past these scans, or not.
            self.deferred.append((journey, sent, scans))
        else:
            self._reckon(journey, sent, scans)

    def add_unknown(self, carrier: str, waybill: str, scans: list[Filed]) -> None:
        """Take the scans of a parcel that no event tells of."""
        if scans:
            self.unknown += 1
            self._scanned(carrier, waybill, scans)
            self._find(carrier, waybill, None, unknown(scans))
            self._stayed(carrier, waybill, stays_of(scans, []))

    def settle(self) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
        """Give every table by name as of the newest live event: those of the live side, and those of the night."""
        for parcel in self.deferred:
            self._reckon(*parcel)
        self.deferred.clear()
        for journey, difference in self.not_in_files:
            if (journey.carrier.name, difference.milestone, (difference.live_ts or 0) // DAY) in self.in_files:
                self._find(journey.carrier.name, journey.tracking_number, journey.order_id, difference)
        self.not_in_files.clear()
        for shipment, evidence in self.unsettled:
            settle(shipment, evidence, self.horizon)
        both, live, night = (facts.tables(self.horizon) for facts in (self.both, self.live, self.night))
        by_night = joined(both, night)
        by_night["alerts"] = pa.concat_tables([by_night["alerts"], self.overstays.table(self.horizon)])
        return joined(both, live), by_night | {
            "hub_scans": self.hub_scans.table(),
            "hub_legs": self.hub_legs.table(),
            "reconciliation": self.findings.table(),
            "shipments": pa.Table.from_batches([to_batch(self.shipments, SHIPMENTS)], SHIPMENTS),
        }

    def _scanned(self, carrier: str, waybill: str, scans: list[Filed]) -> None:
        for scan in scans:
            self.hub_scans.add(carrier, waybill, scan.ts, scan.code, scan.hub, scan.stage, scan.reason)
            self.in_files.add((carrier, scan.stage, scan.ts // DAY))

    def _reckon(self, journey: Journey, sent: list[Step], scans: list[Filed]) -> None:
        known = [scan for scan in scans if scan.ts <= self.horizon]
        differences, fed = compare(sent, known)
        events, by_night = sent, (by_live := reckon(journey, sent))
        if fed:
            self.fed += len(fed)
            told = [Step(scan.ts, scan.stage, scan.reason, scan.hub or None, None, scan.hub) for scan in fed]
            events = sorted([*sent, *told], key=_time)
            by_night = reckon(journey, events)
            self.live.add(journey, sent, by_live)
            self.night.add(journey, events, by_night)
        else:
            self.both.add(journey, sent, by_live)
        for difference in (*differences, *afterwards(by_night.times, known)):
            if difference.finding == "missed_batch":
                self.not_in_files.append((journey, difference))
            else:
                self._find(journey.carrier.name, journey.tracking_number, journey.order_id, difference)
        self._conclude(journey, events, scans, by_night)

    def _conclude(self, journey: Journey, events: list[Step], scans: list[Filed], reckoning: Reckoning) -> None:
        """Note a parcel's stays and its row."""
        carrier, waybill = journey.carrier.name, journey.tracking_number
        stays = stays_of(scans, events)
        self._stayed(carrier, waybill, stays)
        shipment = shipment_of(journey, events, scans, stays, reckoning.times)
        evidence = evidence_of(events, scans, reckoning.times)
        self.shipments.append(shipment)
        if shipment.delivered_at is None and not shipment.outcome:
            self.unsettled.append((shipment, evidence))
        else:
            settle(shipment, evidence, self.horizon)
        if journey.declared_value >= HIGH_VALUE:
            self.overstays.add(journey, overlong(stays, shipment.closed_at), reckoning.alerts)

    def _stayed(self, carrier: str, waybill: str, stays: list[Stay]) -> None:
        for stay in stays:
            end = stay.end()
            dwell = None if end is None else (end - stay.start) / MINUTE
            inferred = stay.scanned_out is None and end is not None
            self.hub_legs.add(
                carrier, waybill, stay.hub, stay.start, end, not stay.first_is_in, inferred, stay.scans, dwell
            )

    def _find(self, carrier: str, waybill: str, order_id: Optional[str], found: Difference) -> None:
        at = found.live_ts if found.batch_ts is None else found.batch_ts
        self.findings.add(
            carrier, waybill, found.finding, found.milestone, order_id, found.live_ts, found.batch_ts, found.scans,
            found.counts, found.why, at,
        )  # fmt: skip


def _time(step: Step) -> Micros:
    return step.ts
