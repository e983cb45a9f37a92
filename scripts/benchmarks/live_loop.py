"""The live job as a loop written by hand: one process, orjson, dicts and a heap; as small as honesty allows.

It does what the graph does for a replay: decode, check, dedupe, keep the earliest milestones and the first promise,
fire deadlines from a heap up to the horizon, make visits of valuable parcels and their silences, and write the same
tables as Parquet partitioned by day. It knows no engine, no recovery, no idempotent commit, no late correction.
"""

import datetime
import hashlib
import heapq
import json
import re
import sys
from collections import defaultdict
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.dataset as ds

from schemas.alerts import ANCHOR, AWAITED, alert_id
from schemas.stages import CARRIER_STAGES, CLOSING_STAGES, STAGES

MIN = 60_000_000
LIMIT = {"pick_pack_delay": 30 * MIN, "label_scan_delay": 120 * MIN, "last_mile_delay": 720 * MIN}
GAP = 720 * MIN
CARRIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}")
FIELDS = (
    "event_id", "order_id", "customer_id", "stage", "warehouse_id", "carrier", "tracking_number",
    "promised_delivery_ts", "event_ts", "reason", "hub", "origin_region", "dest_region", "declared_value",
    "currency", "received_ts", "successor",
)  # fmt: skip
TIMES = ("promised_delivery_ts", "event_ts", "received_ts")
UTC = pa.timestamp("us", tz="UTC")


def micros(text: str) -> int:
    """Give RFC 3339 text as microseconds."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None or not 2000 <= moment.year < 2100:
        raise ValueError(text)
    return round(moment.timestamp() * 1e6)


def check(line: bytes) -> dict:
    """Decode and check one line."""
    event = orjson.loads(line)
    if event["stage"] not in STAGES or not isinstance(event["event_id"], str) or not event["tracking_number"]:
        raise ValueError(line)
    for name in FIELDS:
        value = event.get(name)
        if name in TIMES and value is not None:
            event[name] = micros(value)
        elif name == "declared_value":
            if not isinstance(value, int | float | None):
                raise ValueError(line)
        elif value is not None and name not in TIMES and not isinstance(value, str):
            raise ValueError(line)
    carrier = event.get("carrier")
    if carrier is not None and (not CARRIER.fullmatch(carrier) or ".." in carrier):
        raise ValueError(line)
    if event.get("event_ts") is None:
        raise ValueError(line)
    return event


def read(path: str) -> tuple[dict, list, list]:
    """Read the stream into parcels, columns of events, and rejected lines."""
    parcels: dict = {}
    seen: set = set()
    columns: list = [[] for _ in FIELDS]
    rejected: set = set()
    with open(path, "rb") as lines:
        for line in lines:
            try:
                event = check(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                rejected.add(line)
                continue
            if event["event_id"] in seen:
                continue
            seen.add(event["event_id"])
            for one in (event, *label(event)):
                for column, name in zip(columns, FIELDS, strict=True):
                    column.append(one.get(name))
                fold(parcels.setdefault((one["order_id"], one["tracking_number"]), [{}, None, 0.0, [], []]), one)
    return parcels, columns, sorted(rejected)


def label(event: dict) -> list[dict]:
    """Give the label of the waybill that takes the place of an event's one, if it names any."""
    if not event.get("successor"):
        return []
    identity = "reissue-" + hashlib.blake2b(event["event_id"].encode(), digest_size=16).hexdigest()
    own = {"event_id": identity, "stage": "labeled", "tracking_number": event["successor"]}
    return [event | own | {"reason": None, "hub": None, "successor": None}]


def fold(parcel: list, event: dict) -> None:
    """Fold one event into its parcel: milestones, promise, value, troubles, scans."""
    first, promise, value, troubles, scans = parcel
    stage, ts = event["stage"], event["event_ts"]
    if ts < first.get(stage, 1 << 62):
        first[stage] = ts
    told = event.get("promised_delivery_ts")
    if told is not None and (promise is None or (ts, event["event_id"]) < promise[:2]):
        parcel[1] = (ts, event["event_id"], told)
    if (event.get("declared_value") or 0) > value:
        parcel[2] = event["declared_value"]
    if stage in ("exception", "attempt_failed"):
        troubles.append((ts, stage, event.get("reason") or ""))
    if stage in CARRIER_STAGES:
        scans.append((ts, event.get("hub"), stage in CLOSING_STAGES))


def deadlines(parcel: list) -> list:
    """Give what was awaited of a parcel: kind, due, when it came, reason."""
    first, promise, _, troubles, _ = parcel
    due = [
        (kind, first[anchor] + LIMIT[kind], min((first[s] for s in AWAITED[kind] if s in first), default=None), "")
        for kind, anchor in ANCHOR.items()
        if anchor in first
    ]
    closed = min((ts for stage, ts in first.items() if stage in CLOSING_STAGES), default=None)
    if promise:
        due += [("sla_at_risk", promise[2] - 240 * MIN, closed, ""), ("sla_breached", promise[2], closed, "")]
    return due + [(stage, ts, closed, reason) for ts, stage, reason in troubles]


def visit(parcel: list) -> list:
    """Give a parcel's visits: start, end, events, hubs, when it was closed inside."""
    visits: list = []
    for ts, hub, closing in sorted(parcel[4], key=lambda scan: scan[0]):
        if not visits or ts >= visits[-1][1] + GAP:
            visits.append([ts, ts, 0, set(), None])
        last = visits[-1]
        last[1], last[2] = ts, last[2] + 1
        if hub:
            last[3].add(hub)
        if closing and last[4] is None:
            last[4] = ts
    return visits


def watch(parcels: dict, horizon: int) -> tuple[list, list]:
    """Fire every deadline up to the horizon in order of time; give the rows of alerts and of visits."""
    agenda, visits, alerts = [], [], []
    for key, parcel in parcels.items():
        for kind, due, ended, reason in deadlines(parcel):
            if due <= horizon and (ended is None or ended > due):
                heapq.heappush(agenda, (due, key, kind, ended, reason))
        if parcel[2] < 500:
            continue
        closed = min((ts for stage, ts in parcel[0].items() if stage in CLOSING_STAGES), default=1 << 62)
        mine = visit(parcel)
        visits += [(*key, *found[:3], sorted(found[3]), found[4], found[1] + GAP <= horizon) for found in mine]
        for place, found in enumerate(mine):
            due = found[1] + GAP
            ended = min(closed, mine[place + 1][0] if place + 1 < len(mine) else 1 << 62)
            if due <= horizon and ended > due and closed > found[1]:
                heapq.heappush(agenda, (due, key, "silent_high_value", ended if ended < 1 << 62 else None, ""))
    while agenda:
        due, (order, tracking), kind, ended, reason = heapq.heappop(agenda)
        identity = alert_id(order, tracking, kind, f"{due}{reason}")
        alerts.append((identity, "raised", order, tracking, kind, due, due))
        if ended is not None:
            alerts.append((identity, "cleared", order, tracking, kind, due, ended))
    return alerts, visits


def write(folder: Path, name: str, columns: dict, times: tuple, day: str) -> int:
    """Write a table as zstd Parquet partitioned by day; give its rows."""
    arrays = {n: pa.array(v, pa.int64()).cast(UTC) if n in times else pa.array(v) for n, v in columns.items()}
    table = pa.table(arrays)
    table = table.append_column("day", table[day].cast(pa.date32()))
    ds.write_dataset(
        table, folder / name, format="parquet", partitioning=ds.partitioning(pa.schema([table.schema.field("day")])),
        file_options=ds.ParquetFileFormat().make_write_options(compression="zstd"),
    )  # fmt: skip
    return table.num_rows


def main(source: str, out: str) -> None:
    """Do it all."""
    folder = Path(out)
    folder.mkdir()
    parcels, columns, rejected = read(source)
    horizon = max(columns[FIELDS.index("event_ts")])
    alerts, visits = watch(parcels, horizon)
    events = dict(zip(FIELDS, columns, strict=True))
    counts = [write(folder, "events", events, TIMES, "event_ts")]
    facts = set(zip(events["order_id"], events["tracking_number"], events["stage"], events["event_ts"], strict=True))
    names = ("order_id", "tracking_number", "milestone", "event_ts")
    counts.append(
        write(folder, "milestones", dict(zip(names, zip(*facts, strict=True), strict=True)), TIMES, "event_ts")
    )
    names = ("alert_id", "state", "order_id", "tracking_number", "kind", "due_ts", "state_ts")
    rows = defaultdict(list, dict(zip(names, zip(*alerts, strict=True), strict=True)))
    write(folder, "alerts", rows, ("due_ts", "state_ts"), "due_ts")
    counts += [len(set(rows["alert_id"])), rows["state"].count("cleared")]
    names = ("order_id", "tracking_number", "start_ts", "end_ts", "events", "hubs", "ended_ts", "closed")
    rows = dict(zip(names, zip(*visits, strict=True), strict=True))
    counts.append(write(folder, "visits", rows, ("start_ts", "end_ts", "ended_ts"), "start_ts"))
    (folder / "rejections.jsonl").write_bytes(b"".join(rejected))
    counts.append(len(rejected))
    (folder / "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
