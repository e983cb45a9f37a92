"""Write the drawn scans as the carriers' bulk files, each in its own dialect.

A dialect tells only of the stages that it has a word for.
"""

import json
import sys
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.tables import EVENTS, MILESTONES
from scripts.benchmarks.bulk_shop import CARRIERS, DAYS, FIRST_DAY, draw
from transforms.publish.append import append
from transforms.publish.lake import Lake

DAY_NAMES = [f"2026-03-{day:02d}" for day in range(2, 2 + DAYS)]
assert FIRST_DAY == 20_514 * 86_400_000_000

_DHL = "UD/In Transit/X-"
_WORDS = {
    "regional": {
        stage: stage
        for stage in (
            "carrier_scanned", "in_transit", "hub_in", "hub_out", "exception", "out_for_delivery", "attempt_failed",
            "lost", "delivered", "return_started", "returned",
        )
    },
    "ups": {
        "carrier_scanned": "I/OR/038", "in_transit": "I/IT/010", "hub_in": "I/AR/005", "hub_out": "I/DP/005",
        "out_for_delivery": "I/OT/021", "attempt_failed": "X/48/022", "lost": "X/S9/068", "delivered": "D/FS/011",
        "return_started": "X/3N/033", "returned": "I/RT/034", "exception": "X/DJ/032",
    },
    "usps": {
        "carrier_scanned": "03", "in_transit": "TL", "hub_in": "10", "hub_out": "T1", "out_for_delivery": "OF",
        "delivered": "01", "exception": "GX",
    },
    "delhivery": {
        "carrier_scanned": f"{_DHL}PPOM", "in_transit": f"{_DHL}OTHER", "hub_in": f"{_DHL}PIOM",
        "hub_out": f"{_DHL}DLL2F", "out_for_delivery": "UD/Dispatched/X-DDD3FD", "delivered": "DL/Delivered/EOD-38",
        "return_started": "RT/In Transit/RT-101", "returned": "DL/RTO/RT-110",
    },
    "blue_dart": {
        "hub_in": "S/001", "hub_out": "S/002", "attempt_failed": "T/003", "delivered": "T/000",
        "return_started": "RS/001", "returned": "RT/000",
    },
}  # fmt: skip
_COLUMNS = {
    "regional": """'regional' as carrier, waybill as tracking_number, strftime(ts, '%Y-%m-%dT%H:%M:%SZ') as scan_ts,
        word as code, 'RG-' || hub as hub""",
    "ups": """waybill as "trackingNumber",
        strftime(ts - to_hours(5 + 3 * (hub % 2)), '%Y%m%d') as "localActivityDate",
        strftime(ts - to_hours(5 + 3 * (hub % 2)), '%H%M%S') as "localActivityTime",
        if(hub % 2 = 0, '-05:00', '-08:00') as "gmtOffset", split_part(word, '/', 1) as "activityStatus.type",
        split_part(word, '/', 2) as "activityStatus.code", split_part(word, '/', 3) as "activityStatus.descriptionCode",
        'Processed' as "activityStatus.description", 'CITY ' || hub as "activityLocation.city" """,
    "usps": """waybill as "trackingNumber",
        strftime(ts - to_hours(5 + hub % 4), '%Y-%m-%dT%H:%M:%S') as "eventTimestamp",
        '-0' || (5 + hub % 4) || ':00' as "GMTOffset", word as "eventCode",
        (10000 + 7 * hub)::varchar as "eventZIP" """,
    "delhivery": """waybill as "AWB", strftime(ts + to_minutes(330), '%Y-%m-%dT%H:%M:%S') as "StatusDateTime",
        split_part(word, '/', 1) as "StatusType", split_part(word, '/', 2) as "Status",
        split_part(word, '/', 3) as "NSLCode", 'Depot_' || hub || ' (State)' as "StatusLocation" """,
    "blue_dart": """waybill as "WaybillNo", strftime(ts + to_minutes(330), '%d-%m-%Y') as "ScanDate",
        strftime(ts + to_minutes(330), '%H%M') as "ScanTime", split_part(word, '/', 1) as "ScanGroupType",
        split_part(word, '/', 2) as "ScanCode", 'BD' || lpad(hub::varchar, 3, '0') as "ScannedLocationCode",
        'IST' as "StatusTimeZone" """,
}


def write_files(scans: pa.Table, drop: Path) -> int:
    """Write a file a carrier and day; give the number of their rows."""
    rows = 0
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'; set enable_progress_bar = false")
        db.register("scans", scans)
        for number, carrier in enumerate(CARRIERS):
            (drop / carrier).mkdir(parents=True)
            words = ", ".join(f"('{stage}', '{word}')" for stage, word in _WORDS[carrier].items())
            db.execute(
                f"""create or replace temp table mine as
                select day, hub, make_timestamp(ts) as ts, word, 'WB' || lpad(parcel::varchar, 9, '0') as waybill
                from scans join (values {words}) w(stage, word) using (stage)
                where parcel % {len(CARRIERS)} = {number}"""
            )
            packed = ".gz" if carrier == "delhivery" else ""
            for day, name in enumerate(DAY_NAMES):
                path = drop / carrier / f"{name}.csv{packed}"
                query = f"select {_COLUMNS[carrier]} from mine where day = {day} order by ts"
                ((count,),) = db.execute(f"copy ({query}) to '{path}' (format csv, header)").fetchall()
                rows += count
                if carrier == "usps":
                    with path.open("a") as file:
                        file.write(f"#EOF {count}\n")
    return rows


def prepare(shop: Path, scans: int, events: int) -> None:
    """Draw a shop: its files to `drop`, its events to the lake `live`, and the number of both to `counts.json`."""
    drawn = draw(scans, events)
    lines = write_files(drawn.scans, shop / "drop")
    lake = Lake(shop / "live").check(create=True)
    append(lake, EVENTS, drawn.events)
    reached = drawn.events.select(["order_id", "tracking_number", "stage", "event_ts"])
    append(lake, MILESTONES, reached.rename_columns(MILESTONES.row_schema.names).cast(MILESTONES.row_schema))
    (shop / "counts.json").write_text(json.dumps([lines, drawn.events.num_rows]))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
