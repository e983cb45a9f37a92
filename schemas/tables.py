"""The lake's tables: key, partition, and the rule by which a better row takes the place of an older one."""

from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from schemas.events import Event
from schemas.fields import arrow_schema
from schemas.rows import Alert, Finding, HubFile, HubLeg, HubScan, Milestone, Rejection, Shipment, Visit

SCHEMA_VERSION = 3
"""Rises whenever a table changes in a way that an older Milepost must not write to."""


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    Attributes:
        row: the class its columns follow from.
        key: columns that identify a row.
        day: name of the date column the table is partitioned by, taken from the time column `day_of` (UTC).
        also_by: further partition columns.
        until: time column up to which a row reaches beyond `day_of`; rows it may supersede start no later.
        supersedes: SQL over two rows {old} and {new}; true when the new one takes the place of the old one.
        later: nullable columns that a lake of an earlier schema lacks; what was written then has null there.
        day_in_key: equal keys have equal days, so that only the partitions of a batch need be searched for them.
    """

    name: str
    row: type[msgspec.Struct]
    key: tuple[str, ...]
    day: str
    day_of: str
    also_by: tuple[str, ...] = ()
    until: str = ""
    supersedes: str = "false"
    later: tuple[str, ...] = ()
    day_in_key: bool = True
    row_schema: pa.Schema = field(init=False)
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        """Derive the schema of its rows, and the full one: the row's columns, then the partition day."""
        row_schema = arrow_schema(self.row)
        object.__setattr__(self, "row_schema", row_schema)
        object.__setattr__(self, "schema", row_schema.append(pa.field(self.day, pa.date32(), nullable=False)))

    @property
    def partition(self) -> tuple[str, ...]:
        """Give the partition columns, in order."""
        return (self.day, *self.also_by)


EVENTS = Table("events", Event, ("event_id",), "event_date", "event_ts", later=("successor",))
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
    supersedes="{old}.alert_id = {new}.alert_id and {old}.state = {new}.state and {new}.state_ts < {old}.state_ts",
)
VISITS = Table(
    "visits",
    Visit,
    ("visit_id",),
    "start_date",
    "start_ts",
    until="end_ts",
    # Late scans only make a session longer or join two: the longer one holds all that the shorter did.
    supersedes="""{old}.order_id = {new}.order_id and {old}.tracking_number = {new}.tracking_number
        and {old}.start_ts >= {new}.start_ts and {old}.end_ts <= {new}.end_ts and {old}.events <= {new}.events
        and ({old}.visit_id <> {new}.visit_id or {old}.end_ts < {new}.end_ts or {old}.events < {new}.events
            or {old}.closed < {new}.closed)""",
)
HUB_SCANS = Table(
    "hub_scans",
    HubScan,
    ("carrier", "tracking_number", "scan_ts", "code", "hub"),
    "service_date",
    "scan_ts",
    also_by=("carrier",),
)
HUB_FILES = Table("hub_files", HubFile, ("file",), "service_date", "day_ts")
HUB_LEGS = Table(
    "hub_legs", HubLeg, ("carrier", "tracking_number", "hub", "in_ts"), "service_date", "in_ts", also_by=("carrier",)
)
RECONCILIATION = Table(
    "reconciliation",
    Finding,
    ("carrier", "tracking_number", "finding", "milestone"),
    "service_date",
    "at_ts",
    also_by=("carrier",),
)
SHIPMENTS = Table("shipments", Shipment, ("order_id", "tracking_number"), "first_event_date", "first_event_ts")
REJECTIONS = Table("rejections", Rejection, ("rejection_id",), "received_date", "received_ts", day_in_key=False)

NIGHTLY: tuple[Table, ...] = (HUB_FILES, HUB_SCANS, HUB_LEGS, RECONCILIATION, SHIPMENTS)
"""Tables that a night replaces together."""

TABLES: dict[str, Table] = {table.name: table for table in (EVENTS, MILESTONES, ALERTS, VISITS, *NIGHTLY, REJECTIONS)}
"""In the order in which a commit writes them: facts before what is concluded from them."""
