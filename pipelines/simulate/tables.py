"""The tables of the truth in the making, column by column."""

from collections.abc import Iterable, Mapping
from typing import Optional

import pyarrow as pa

from pipelines.simulate.journey import Journey, Step
from pipelines.simulate.reckon import VISIT_GAP, AlertRow, Reckoning, VisitRow
from schemas.fields import Micros, arrow_schema, to_array
from schemas.rows import Alert, Finding, HubLeg, HubScan, Milestone, Rejection, Shipment, Visit


def _only(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])


MILESTONES = arrow_schema(Milestone)
ALERTS = _only(arrow_schema(Alert), "order_id", "tracking_number", "kind", "due_ts", "state", "state_ts")
VISITS = _only(
    arrow_schema(Visit), "order_id", "tracking_number", "start_ts", "end_ts", "events", "hubs", "ended_ts", "closed"
)
SHIPMENTS = arrow_schema(Shipment)
HUB_SCANS = _only(arrow_schema(HubScan), "carrier", "tracking_number", "scan_ts", "code", "hub", "stage", "reason")
HUB_LEGS = arrow_schema(HubLeg)
FINDINGS = arrow_schema(Finding)
REJECTIONS = _only(arrow_schema(Rejection), "reason", "raw")

_SILENT = "silent_high_value"


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


class Facts:
    """Milestones, visits and alerts of parcels whose events are known."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.milestones, self.first_milestones = Columns(MILESTONES), Columns(MILESTONES)
        self.alerts: list[tuple[str, str, AlertRow]] = []
        self.visits: list[tuple[str, str, VisitRow]] = []

    def add(self, journey: Journey, events: list[Step], reckoning: Reckoning) -> None:
        """Take a parcel's events and what follows from them."""
        order_id, waybill = journey.order_id, journey.tracking_number
        for step in events:
            self.milestones.add(order_id, waybill, step.stage, step.ts)
        for stage, ts in reckoning.times.items():
            self.first_milestones.add(order_id, waybill, stage, ts)
        self.visits += [(order_id, waybill, visit) for visit in reckoning.visits]
        self.alerts += [(order_id, waybill, alert) for alert in reckoning.alerts]

    def tables(self, horizon: Micros) -> dict[str, pa.Table]:
        """Give the tables by name as of the horizon."""
        alerts, visits = Columns(ALERTS), Columns(VISITS)
        for order_id, waybill, (kind, due, ended) in self.alerts:
            if due <= horizon:
                alerts.add(order_id, waybill, kind, due, *_state(due, ended))
        for order_id, waybill, visit in self.visits:
            visits.add(order_id, waybill, *visit, visit[1] + VISIT_GAP <= horizon)
        return {
            "milestones": self.milestones.table(),
            "first_milestones": self.first_milestones.table(),
            "alerts": alerts.table(),
            "visits": visits.table(),
        }


class Overstays:
    """Stays that are too long, of parcels of high value: news, unless a silence already tells of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rows: list[tuple[str, str, Micros, Optional[Micros], list[AlertRow]]] = []

    def add(
        self, journey: Journey, overlong: Iterable[tuple[Micros, Optional[Micros]]], alerts: list[AlertRow]
    ) -> None:
        """Take the times of a parcel's stays that are too long, and its alerts."""
        silences = [alert for alert in alerts if alert[0] == _SILENT]
        for due, ended in overlong:
            self.rows.append((journey.order_id, journey.tracking_number, due, ended, silences))

    def table(self, horizon: Micros) -> pa.Table:
        """Give the alerts as of the horizon."""
        rows = Columns(ALERTS)
        for order_id, waybill, due, ended, silences in self.rows:
            known = [silence for silence in silences if silence[1] <= horizon]
            if due <= horizon and not any(_overlap((due, ended), (since, until)) for _, since, until in known):
                rows.add(order_id, waybill, _SILENT, due, *_state(due, ended))
        return rows.table()


def rejections_table(rejections: list[tuple[str, str]]) -> pa.Table:
    """Give the table of the lines that cannot be taken."""
    rows = Columns(REJECTIONS)
    for reason, line in rejections:
        rows.add(reason, line.encode())
    return rows.table()


def joined(one: Mapping[str, pa.Table], other: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Put the rows of equally named tables together."""
    return {name: pa.concat_tables([table, other[name]]) for name, table in one.items()}


def _state(due: Micros, ended: Optional[Micros]) -> tuple[str, Micros]:
    return ("raised", due) if ended is None else ("cleared", ended)


def _overlap(one: tuple[Micros, Optional[Micros]], other: tuple[Micros, Optional[Micros]]) -> bool:
    """Tell whether two spans, each without its end and perhaps endless, have a moment in common."""
    return (one[1] is None or other[0] < one[1]) and (other[1] is None or one[0] < other[1])
