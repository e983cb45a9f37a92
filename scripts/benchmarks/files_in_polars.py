"""Read the five dialects with Polars, by tables written here by hand."""

import polars as pl

from scripts.benchmarks.night_in_duckdb import STAGES

STAGE = pl.Enum(list(STAGES))
CODES = {
    "regional": {stage: stage for stage in STAGES},
    "ups": {
        "I/OR/38": "carrier_scanned", "I/IT/10": "in_transit", "I/AR/5": "hub_in", "I/DP/5": "hub_out",
        "I/OT/21": "out_for_delivery", "X/48/22": "attempt_failed", "X/S9/68": "lost", "D/FS/11": "delivered",
        "X/3N/33": "return_started", "I/RT/34": "returned", "X/DJ/32": "exception",
    },
    "usps": {
        "03": "carrier_scanned", "TL": "in_transit", "10": "hub_in", "T1": "hub_out", "OF": "out_for_delivery",
        "01": "delivered",
    },
    "delhivery": {
        "UD/In Transit/X-PPOM": "carrier_scanned", "UD/In Transit/X-OTHER": "in_transit",
        "UD/In Transit/X-PIOM": "hub_in", "UD/In Transit/X-DLL2F": "hub_out",
        "UD/Dispatched/X-DDD3FD": "out_for_delivery", "DL/Delivered/EOD-38": "delivered",
        "RT/In Transit/RT-101": "return_started", "DL/RTO/RT-110": "returned",
    },
    "blue_dart": {
        "S/001": "hub_in", "S/002": "hub_out", "T/003": "attempt_failed", "T/000": "delivered",
        "RS/001": "return_started", "RT/000": "returned",
    },
}  # fmt: skip
REASONS = {
    "X/48/22": "consignee_not_home", "X/S9/68": "carrier_parcel_lost", "X/DJ/32": "weather_delay",
    "T/003": "consignee_not_available",
}  # fmt: skip


def read_scans(drop: str) -> pl.LazyFrame:
    """Read the five dialects into one frame, each scan once."""

    def files(carrier: str, end: str = "csv", **options: bool) -> pl.LazyFrame:
        return pl.scan_csv(f"{drop}/{carrier}/*.{end}", infer_schema=False, **options)  # type: ignore[arg-type]

    def joined(*names: str) -> pl.Expr:
        return pl.concat_str(names, separator="/")

    ist = pl.duration(minutes=330)
    read = {
        "regional": files("regional").select(
            "tracking_number", "code", "hub", scan_ts=pl.col("scan_ts").str.to_datetime("%Y-%m-%dT%H:%M:%SZ")
        ),
        "ups": files("ups").select(
            tracking_number="trackingNumber",
            code=pl.concat_str(
                "activityStatus.type",
                "activityStatus.code",
                pl.col("activityStatus.descriptionCode").str.strip_chars_start("0"),
                separator="/",
            ),
            hub="activityLocation.city",
            scan_ts=pl.concat_str("localActivityDate", "localActivityTime").str.to_datetime("%Y%m%d%H%M%S")
            - pl.duration(hours=pl.col("gmtOffset").str.head(3).cast(pl.Int64)),
        ),
        "usps": files("usps", truncate_ragged_lines=True)
        .filter(~pl.col("trackingNumber").str.starts_with("#EOF"), pl.col("eventCode") != "GX")
        .select(
            tracking_number="trackingNumber",
            code="eventCode",
            hub="eventZIP",
            scan_ts=pl.col("eventTimestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S")
            - pl.duration(hours=pl.col("GMTOffset").str.head(3).cast(pl.Int64)),
        ),
        "delhivery": files("delhivery", "csv.gz").select(
            tracking_number="AWB",
            code=joined("StatusType", "Status", "NSLCode"),
            hub="StatusLocation",
            scan_ts=pl.col("StatusDateTime").str.to_datetime("%Y-%m-%dT%H:%M:%S") - ist,
        ),
        "blue_dart": files("blue_dart").select(
            tracking_number="WaybillNo",
            code=joined("ScanGroupType", "ScanCode"),
            hub="ScannedLocationCode",
            scan_ts=pl.concat_str("ScanDate", "ScanTime").str.to_datetime("%d-%m-%Y%H%M") - ist,
        ),
    }
    kinds = pl.Enum(list(read))
    return pl.concat(
        frame.select(
            "tracking_number",
            "code",
            "hub",
            scan_ts=pl.col("scan_ts").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
            carrier=pl.lit(carrier).cast(kinds),
            stage=pl.col("code").replace_strict(CODES[carrier], return_dtype=STAGE),
            reason=pl.col("code").replace_strict(REASONS, default=None, return_dtype=pl.String),
        )
        for carrier, frame in read.items()
    ).unique(["carrier", "tracking_number", "scan_ts", "code", "hub"])
