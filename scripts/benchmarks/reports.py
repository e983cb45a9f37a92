"""The reports, explain and the scorecard on a large lake: the seconds of each, from the command to its end."""

import sys
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import rich

from pipelines.query import open_lake
from pipelines.report import names
from schemas.alerts import raised
from schemas.fields import HOUR, to_batch
from schemas.tables import ALERTS
from scripts.benchmarks.bulk_files import DAY_NAMES
from scripts.benchmarks.bulk_shop import EVENTS_A_PARCEL
from scripts.benchmarks.processes import run
from transforms.publish.append import append
from transforms.publish.lake import Lake

EVENTS_OF_EACH = 10
"""Of each parcel about so many: movement between hubs comes live as well."""
SCANS_OF_EACH = 7.5


class Measured(TypedDict):
    """What came out: how large the lake was, the seconds of each command, and the most memory one took."""

    events: int
    shipments: int
    seconds: dict[str, float]
    slowest_report_s: float
    explain_s: float
    peak_rss_mib: int


def bench_reports(work: Path, events: int) -> Measured:
    """Fill a lake with events and a finished night, then ask each report, one after the other."""
    parcels = events / EVENTS_OF_EACH
    shop = work / "shop"
    sizes = str(int(parcels * SCANS_OF_EACH)), str(int(parcels * EVENTS_A_PARCEL))
    run(sys.executable, "-m", "scripts.benchmarks.bulk_files", str(shop), *sizes, "moves")
    lake, days = str(shop / "live"), ["--from", DAY_NAMES[0], "--to", DAY_NAMES[-1]]
    night = run(sys.executable, "-m", "pipelines", "nightly", "--drop", str(shop / "drop"), "--lake", lake, *days)
    told, shipments, order = _warn(Lake(lake))
    screen = rich.get_console()
    screen.print(f"{told:,} events, {shipments:,} shipments; their night took {night.seconds:.1f} s", soft_wrap=True)
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


def _warn(lake: Lake) -> tuple[int, int, str]:
    """Warn of every fifth parcel, as a live run would; give the number of events and shipments, and an order."""
    with open_lake(lake.path) as db:
        ((told,),) = db.sql("select count(*) from events").fetchall()
        ((shipments, order),) = db.sql("select count(*), max(order_id) from shipments").fetchall()
        due = db.sql(
            """select order_id, tracking_number, epoch_us(promised_delivery_ts) from shipments
            where promised_delivery_ts is not null and hash(order_id) % 5 = 0"""
        ).fetchall()
    warnings = [raised(one, way, "sla_at_risk", promise - 4 * HOUR, "promised") for one, way, promise in due]
    if warnings:
        with lake.writing():
            append(lake, ALERTS, pa.Table.from_batches([to_batch(warnings, ALERTS.row_schema)]))
    return told, shipments, order
