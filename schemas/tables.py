"""The lake's tables: key, partition, and the rule by which a better row takes the place of an older one."""

from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from schemas.events import Event
from schemas.fields import arrow_schema
from schemas.rows import Alert, HubScan, Milestone, Rejection, Shipment, Visit

SCHEMA_VERSION = 1
"""Rises whenever a table changes in a way that an older Milepost must not write to."""


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes:
        row: the class its columns follow from.
        key: columns that identify a row.
        day: name of the date column the table is partitioned by, taken from the time column `day_of` (UTC).
        partition: partition columns, in order.
        supersedes: SQL over an old row `o` and a new row `n` of the same parcel or key; true when `n` replaces `o`.
    """

    name: str
    row: type[msgspec.Struct]
    key: tuple[str, ...]
    day: str
    day_of: str
    also_by: tuple[str, ...] = ()
    supersedes: str = ""
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        """Derive the full schema: the row's columns, then the partition day."""
        schema = arrow_schema(self.row).append(pa.field(self.day, pa.date32(), nullable=False))
        object.__setattr__(self, "schema", schema)

    @property
    def partition(self) -> tuple[str, ...]:
        """Give the partition columns, in order."""
        return (self.day, *self.also_by)


EVENTS = Table("events", Event, ("event_id",), "event_date", "event_ts")
MILESTONES = Table(
    "milestones", Milestone, ("order_id", "tracking_number", "milestone", "event_ts"), "event_date", "event_ts"
)
ALERTS = Table(
    "alerts",
    Alert,
    ("alert_id", "state"),
    "due_date",
    "due_ts",
    # What was awaited turns out to have come earlier than thought.
    supersedes="o.alert_id = n.alert_id and o.state = n.state and n.state_ts < o.state_ts",
)
VISITS = Table(
    "visits",
    Visit,
    ("visit_id",),
    "start_date",
    "start_ts",
    # Late scans only make a session longer or join two: the longer one holds all that the shorter did.
    supersedes="o.order_id = n.order_id and o.tracking_number = n.tracking_number"
    " and o.start_ts >= n.start_ts and o.end_ts <= n.end_ts and (o.start_ts > n.start_ts or o.end_ts < n.end_ts"
    " or o.events < n.events or o.closed < n.closed)",
)
HUB_SCANS = Table(
    "hub_scans",
    HubScan,
    ("carrier", "tracking_number", "scan_ts", "code", "hub"),
    "service_date",
    "scan_ts",
    also_by=("carrier",),
)
SHIPMENTS = Table(
    "shipments", Shipment, ("order_id", "tracking_number"), "first_event_date", "first_event_ts"
)
REJECTIONS = Table("rejections", Rejection, ("rejection_id",), "received_date", "received_ts")

TABLES: dict[str, Table] = {
    table.name: table for table in (EVENTS, MILESTONES, ALERTS, VISITS, HUB_SCANS, SHIPMENTS, REJECTIONS)
}
"""In the order in which a commit writes them: facts before what is concluded from them."""
