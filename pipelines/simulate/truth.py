"""The rows to expect, reckoned from the clean plan. Plain code that shares nothing with the transforms it checks."""

from typing import Optional

import pyarrow as pa

from pipelines.simulate.journey import Journey, Scan, Step
from pipelines.simulate.reckon import Times, alerts_of, first_times, visits_of
from pipelines.simulate.shop import START
from schemas.fields import HOUR, MINUTE, Micros, arrow_schema, to_array, to_batch
from schemas.rows import Alert, HubScan, Milestone, Rejection, Shipment, Visit
from schemas.stages import CLOSING_STAGES, RANK

HIGH_VALUE = 500.0
AT_RISK = 4 * HOUR
VISIT_GAP = 12 * HOUR

_GIVEN_UP = tuple(sorted(CLOSING_STAGES - {"delivered"}, key=RANK.__getitem__, reverse=True))


def _only(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


MILESTONES = arrow_schema(Milestone)
ALERTS = _only(arrow_schema(Alert), "order_id", "tracking_number", "kind", "due_ts", "state", "state_ts")
VISITS = _only(
    arrow_schema(Visit), "order_id", "tracking_number", "start_ts", "end_ts", "events", "hubs", "ended_ts", "closed"
)
SHIPMENTS = arrow_schema(Shipment)
HUB_SCANS = _only(arrow_schema(HubScan), "carrier", "tracking_number", "scan_ts", "code", "hub", "stage")
REJECTIONS = _only(arrow_schema(Rejection), "reason", "raw")


class Columns:
    """A table in the making: one list a column."""

    def __init__(self, schema: pa.Schema) -> None:
        """Take the schema."""
        self.schema = schema
        self.columns: tuple[list[object], ...] = tuple([] for _ in schema)

    def add(self, *row: object) -> None:
        """Add a row: one value a column."""
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)

    def table(self) -> pa.Table:
        """Give the rows as an Arrow table."""
        arrays = [to_array(column, f.type) for column, f in zip(self.columns, self.schema, strict=True)]
        return pa.table(arrays, schema=self.schema)


class Truth:
    """What is true of the shop, parcel by parcel; what depends on the horizon is settled at the end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.horizon: Micros = START
        self.milestones = Columns(MILESTONES)
        self.first_milestones = Columns(MILESTONES)
        self.alerts: list[tuple[str, str, str, Micros, Optional[Micros]]] = []
        self.visits: list[tuple[str, str, Micros, Micros, int, list[str], Optional[Micros]]] = []
        self.shipments: list[Shipment] = []
        self.hub_scans = Columns(HUB_SCANS)

    def add(self, journey: Journey, steps: list[Step], scans: list[Scan]) -> None:
        """Take a parcel's events (at least one, in order of time) and hub scans, up to the end of the span."""
        order_id, tracking_number = journey.order_id, journey.tracking_number
        times = first_times(steps)
        for step in steps:
            self.milestones.add(order_id, tracking_number, step.stage, step.ts)
        for stage, ts in times.items():
            self.first_milestones.add(order_id, tracking_number, stage, ts)
        for scan in scans:
            self.hub_scans.add(journey.carrier.name, tracking_number, scan.ts, scan.code, scan.hub, scan.code)
        visits = visits_of(steps, VISIT_GAP) if journey.declared_value >= HIGH_VALUE else []
        for visit in visits:
            self.visits.append((order_id, tracking_number, *visit))
        for kind, due, ended in alerts_of(steps, times, journey.first_promise, visits, AT_RISK, VISIT_GAP):
            self.alerts.append((order_id, tracking_number, kind, due, ended))
        self.shipments.append(_shipment(journey, steps, len(scans), times))
        self.horizon = max(self.horizon, steps[-1].ts)

    def tables(self) -> dict[str, pa.Table]:
        """Give every table by name, as of the newest event."""
        alerts, visits = Columns(ALERTS), Columns(VISITS)
        for *parcel, due, ended in self.alerts:
            if due <= self.horizon:
                alerts.add(*parcel, due, *(("raised", due) if ended is None else ("cleared", ended)))
        for visit in self.visits:
            end = visit[3]
            visits.add(*visit, end + VISIT_GAP <= self.horizon)
        for shipment in self.shipments:
            _settle(shipment, self.horizon)
        return {
            "milestones": self.milestones.table(),
            "first_milestones": self.first_milestones.table(),
            "alerts": alerts.table(),
            "visits": visits.table(),
            "shipments": pa.Table.from_batches([to_batch(self.shipments, SHIPMENTS)], SHIPMENTS),
            "hub_scans": self.hub_scans.table(),
        }


def rejections_table(rejections: list[tuple[str, str]]) -> pa.Table:
    """Give the table of the lines that cannot be taken."""
    rows = Columns(REJECTIONS)
    for reason, line in rejections:
        rows.add(reason, line.encode())
    return rows.table()


def _shipment(journey: Journey, steps: list[Step], hub_scans: int, times: Times) -> Shipment:
    by_carrier = any(step.stage not in ("picked", "packed") for step in steps)
    revised = [step.promise for step in steps if step.promise is not None]
    at = times.get
    delivered = at("delivered")
    back = min((times[s] for s in ("return_started", "returned") if s in times), default=None)
    if delivered is not None and back is not None and back < delivered:
        delivered = None
    return Shipment(
        order_id=journey.order_id,
        tracking_number=journey.tracking_number,
        customer_id=journey.customer_id,
        warehouse_id=journey.warehouse.name,
        carrier=journey.carrier.name if by_carrier else None,
        origin_region=journey.warehouse.region,
        dest_region=journey.dest,
        declared_value=journey.declared_value,
        currency=journey.warehouse.currency,
        first_event_ts=steps[0].ts,
        last_event_ts=steps[-1].ts,
        events=len(steps),
        hub_scans=hub_scans,
        picked_at=at("picked"),
        packed_at=at("packed"),
        labeled_at=at("labeled"),
        carrier_scanned_at=at("carrier_scanned"),
        out_for_delivery_at=at("out_for_delivery"),
        attempt_failed_at=at("attempt_failed"),
        available_for_pickup_at=at("available_for_pickup"),
        delivered_at=delivered,
        closed_at=min((times[s] for s in times if s in CLOSING_STAGES), default=None),
        attempts_failed=sum(step.stage == "attempt_failed" for step in steps),
        exceptions=sum(step.stage == "exception" for step in steps),
        promised_delivery_ts=journey.first_promise,
        latest_promised_delivery_ts=revised[-1] if revised else journey.first_promise,
        current_stage=max(times, key=RANK.__getitem__),
        outcome=next((stage for stage in _GIVEN_UP if stage in times), ""),
        late_minutes=None,
    )


def _settle(row: Shipment, horizon: Micros) -> None:
    """Fill in outcome and lateness, which depend on the horizon unless the parcel was given up."""
    promise, until = row.promised_delivery_ts, row.delivered_at
    if until is None and row.outcome:
        return
    if promise is None:
        row.outcome = "no_promise"
    elif until is not None:
        row.outcome = "on_time" if until <= promise else "late"
    elif horizon > promise:
        row.outcome, until = "breached", horizon
    else:
        row.outcome = "at_risk" if promise - horizon <= AT_RISK else "on_track"
    if promise is not None and until is not None and until > promise:
        row.late_minutes = (until - promise) / MINUTE
