"""The reports, explain and the scorecard on a large lake: the seconds of each, from the command to its end."""

import json
import sys
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import rich

from pipelines.query import open_lake
from pipelines.report import names
from pipelines.settled import COLUMNS
from schemas.alerts import raised
from schemas.fields import HOUR, to_batch
from schemas.night import Night
from schemas.tables import ALERTS, EVENTS, HUB_LEGS, HUB_SCANS, MILESTONES, SHIPMENTS
from scripts.benchmarks.bulk_files import DAY_NAMES
from scripts.benchmarks.bulk_shop import EVENTS_A_PARCEL, draw
from scripts.benchmarks.processes import run
from transforms.publish.append import append
from transforms.publish.lake import Lake
from transforms.publish.nights import finish
from transforms.reconcile.rules import digest

EVENTS_OF_EACH = 10
"""Of each parcel about so many: movement between hubs comes live as well."""


class Measured(TypedDict):
    """What came out: how large the lake was, the seconds of each command, and the most memory one took."""

    events: int
    shipments: int
    seconds: dict[str, float]
    slowest_report_s: float
    explain_s: float
    peak_rss_mib: int


def bench_reports(work: Path, events: int) -> Measured:
    """Fill a lake with events and what a night makes of them, then ask each report, one after the other."""
    parcels = events / EVENTS_OF_EACH
    shop = work / "shop"
    # In a process of its own: a child counts its parent's memory at the time of its birth as its own.
    run(sys.executable, "-m", "scripts.benchmarks.reports", str(shop), str(int(parcels * EVENTS_A_PARCEL)))
    lake, days = str(shop / "live"), ["--from", DAY_NAMES[0], "--to", DAY_NAMES[-1]]
    told, shipments, order = json.loads((shop / "filled.json").read_text())
    screen = rich.get_console()
    screen.print(f"{told:,} events, {shipments:,} shipments", soft_wrap=True)
    commands = {name: ["report", name] for name in names()}
    commands["explain"] = ["explain", order]
    commands["scorecard"] = ["scorecard", *days, "--out", str(work / "page.html")]
    seconds, peak = {}, 0.0
    for name, command in commands.items():
        one = run(sys.executable, "-m", "pipelines", *command, "--lake", lake)
        seconds[name], peak = round(one.seconds, 2), max(peak, one.peak_mib)
        screen.print(f"{name:>16} {one.seconds:6.2f} s ({one.cpu:.2f} CPU), {one.peak_mib:,.0f} MiB", soft_wrap=True)
    return {
        "events": told,
        "shipments": shipments,
        "seconds": seconds,
        "slowest_report_s": max(seconds[name] for name in names()),
        "explain_s": seconds["explain"],
        "peak_rss_mib": round(peak),
    }


def fill(shop: Path, events: int) -> None:
    """Draw a shop into the lake `live`; its parcels, scans and stays are concluded here, in one go.

    Every fifth parcel is warned of. How many events and shipments there are, and an order, go to `filled.json`.
    """
    drawn = draw(events * 2, events, moves=True)
    lake = Lake(shop / "live").check(create=True)
    append(lake, EVENTS, drawn.events)
    reached = drawn.events.select(["order_id", "tracking_number", "stage", "event_ts"])
    append(lake, MILESTONES, reached.rename_columns(MILESTONES.row_schema.names).cast(MILESTONES.row_schema))
    with open_lake(lake.path) as db:
        for table, query in ((SHIPMENTS, _SHIPMENTS), (HUB_SCANS, _SCANS), (HUB_LEGS, _LEGS)):
            append(lake, table, db.sql(query).to_arrow_table().cast(table.row_schema))
        ((told, newest),) = db.sql("select count(*), epoch_us(max(event_ts)) from events").fetchall()
    versions = {table.name: 0 for table in (SHIPMENTS, HUB_SCANS, HUB_LEGS)}
    finish(lake, Night(versions, {EVENTS.name: 0}, newest, digest(lake.policy())))
    with open_lake(lake.path) as db:
        ((shipments, order),) = db.sql("select count(*), max(order_id) from shipments").fetchall()
        due = db.sql(
            """select order_id, tracking_number, epoch_us(promised_delivery_ts) from shipments
            where promised_delivery_ts <= horizon() and hash(order_id) % 5 = 0"""
        ).fetchall()
    warnings = [raised(one, way, "sla_at_risk", promise - 4 * HOUR, "promised") for one, way, promise in due]
    append(lake, ALERTS, pa.Table.from_batches([to_batch(warnings, ALERTS.row_schema)]))
    (shop / "filled.json").write_text(json.dumps([told, shipments, order]))


_SHIPMENTS = f"""select {
    ", ".join(
        f"p.{name}"
        if name in COLUMNS or name in ("outcome", "late_minutes")
        else f"late_minutes / 4 as {name}"
        if name.startswith("late_by")
        else f"0 as {name}"
        if name != "first_scan_ts"
        else "null::timestamptz as first_scan_ts"
        for name in SHIPMENTS.row_schema.names
    )
} from parcels p"""
_SCANS = """select carrier, tracking_number, event_ts as scan_ts, stage as code,
    'H' || hash(tracking_number) % 40 as hub, stage, null::varchar as reason, 'file' as source
    from events where stage in ('hub_in', 'in_transit', 'hub_out')"""
_LEGS = """select carrier, tracking_number, 'H' || hash(tracking_number) % 40 as hub, hub_in_at as in_ts,
    hub_out_at as out_ts, false as in_inferred, false as out_inferred, 2 as scans,
    minutes_between(hub_in_at, hub_out_at) as dwell_minutes from parcels where hub_in_at is not null"""


if __name__ == "__main__":
    fill(Path(sys.argv[1]), int(sys.argv[2]))
