"""Parcels in plain loops: folded out of events, and counted. Shares nothing with the rules it checks but their words.

Rows are dicts; times are microseconds.
"""

from collections import defaultdict

import pyarrow as pa

from schemas.fields import HOUR, MINUTE

CLOSING = {"cancelled", "failed", "lost", "delivered", "return_started", "returned"}
RANKED = [
    "picked",
    "packed",
    "labeled",
    "carrier_scanned",
    "in_transit",
    "hub_in",
    "hub_out",
    "exception",
    "out_for_delivery",
    "attempt_failed",
    "available_for_pickup",
    "cancelled",
    "failed",
    "lost",
    "delivered",
    "return_started",
    "returned",
]
TIMED = [
    "picked",
    "packed",
    "labeled",
    "carrier_scanned",
    "out_for_delivery",
    "attempt_failed",
    "available_for_pickup",
    "return_started",
    "returned",
]


def rows_of(table):
    """Give an Arrow table as dicts with times in microseconds."""
    for at, kind in enumerate(table.schema.types):
        if pa.types.is_timestamp(kind):
            table = table.set_column(at, table.schema.names[at], table.column(at).cast(pa.int64()))
    return table.to_pylist()


def fold(events, horizon=None):
    """Conclude parcels from events."""
    told = defaultdict(list)
    for event in events:
        if event["order_id"] is not None and (horizon is None or event["event_ts"] <= horizon):
            told[event["order_id"], event["tracking_number"]].append(event)
    horizon = horizon or max((event["event_ts"] for event in events), default=0)
    return [_parcel(key, sorted(told[key], key=lambda e: (e["event_ts"], e["event_id"])), horizon) for key in told]


def _parcel(key, ordered, horizon):
    def first(name):
        return next((e[name] for e in ordered if e[name] is not None), None)

    def when(*stages):
        return next((e["event_ts"] for e in ordered if e["stage"] in stages), None)

    delivered, back = when("delivered"), when("return_started", "returned")
    if delivered is not None and back is not None and back < delivered:
        delivered = None
    stages = {e["stage"] for e in ordered}
    promises = [e["promised_delivery_ts"] for e in ordered if e["promised_delivery_ts"] is not None]
    parcel = {
        "order_id": key[0],
        "tracking_number": key[1],
        **{name: first(name) for name in ("carrier", "warehouse_id", "origin_region", "dest_region")},
        **{f"{stage}_at": when(stage) for stage in TIMED},
        "declared_value": max((e["declared_value"] for e in ordered if e["declared_value"] is not None), default=None),
        "first_event_ts": ordered[0]["event_ts"],
        "last_event_ts": ordered[-1]["event_ts"],
        "delivered_at": delivered,
        "closed_at": when(*CLOSING),
        "attempts_failed": len({e["event_ts"] for e in ordered if e["stage"] == "attempt_failed"}),
        "exceptions": len({e["event_ts"] for e in ordered if e["stage"] == "exception"}),
        "promised_delivery_ts": promises[0] if promises else None,
        "latest_promised_delivery_ts": promises[-1] if promises else None,
        "current_stage": max(stages, key=RANKED.index),
    }
    parcel["outcome"] = _outcome(parcel, stages, horizon)
    late = {"late": delivered, "breached": horizon}.get(parcel["outcome"])
    parcel["late_minutes"] = None if late is None else (late - promises[0]) / MINUTE
    return parcel


def _outcome(parcel, stages, horizon):
    promise, delivered = parcel["promised_delivery_ts"], parcel["delivered_at"]
    if delivered is not None:
        return "no_promise" if promise is None else "on_time" if delivered <= promise else "late"
    if closed := stages & (CLOSING - {"delivered"}):
        return max(closed, key=RANKED.index)
    if promise is None:
        return "no_promise"
    return "breached" if horizon > promise else "at_risk" if horizon >= promise - 4 * HOUR else "on_track"


def quantile(values, part):
    """Linear interpolation between the two nearest of the sorted values."""
    if not values:
        return None
    values = sorted(values)
    place = part * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def mean(values):
    return sum(values) / len(values) if values else None


def rate(some, all_):
    return 100 * some / all_ if all_ else None


def grouped(rows, *names):
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def spans(group, start, end, unit):
    return [(p[end] - p[start]) / unit for p in group if p[start] is not None and p[end] is not None]


def scorecard(parcels, keys, horizon):
    """Give a scorecard, by its keys."""
    return {key: _score(group, horizon) for key, group in grouped(parcels, *keys).items()}


def _score(group, horizon):
    delivered = [p for p in group if p["delivered_at"] is not None]
    promised = [p for p in delivered if p["promised_delivery_ts"] is not None]
    due = [p for p in group if p["promised_delivery_ts"] is not None and p["promised_delivery_ts"] <= horizon]
    in_time = sum(kept(p) for p in due)
    on_time = sum(kept(p) for p in promised)
    transit = spans(group, "carrier_scanned_at", "delivered_at", HOUR)
    attempted = [p for p in group if p["delivered_at"] is not None or p["attempts_failed"]]
    at_once = [p for p in delivered if p["attempt_failed_at"] is None or p["attempt_failed_at"] >= p["delivered_at"]]
    still = [p for p in group if p["closed_at"] is None]
    return {
        "total_orders": len(delivered),
        "on_time_deliveries": on_time,
        "late_deliveries": len(promised) - on_time,
        "on_time_rate_pct": rate(on_time, len(delivered)),
        "avg_pick_to_pack_min": mean(spans(delivered, "picked_at", "packed_at", MINUTE)),
        "avg_label_to_scan_min": mean(spans(delivered, "labeled_at", "carrier_scanned_at", MINUTE)),
        "promises_due": len(due),
        "promises_kept": in_time,
        "kept_rate_pct": rate(in_time, len(due)),
        "transit_p50_hours": quantile(transit, 0.5),
        "transit_p90_hours": quantile(transit, 0.9),
        "transit_p95_hours": quantile(transit, 0.95),
        "first_attempt_rate_pct": rate(len(at_once), len(attempted)),
        "exceptions": sum(p["exceptions"] > 0 for p in group),
        "lost": sum(p["current_stage"] == "lost" for p in group),
        "returned": sum(p["current_stage"] in ("return_started", "returned") for p in group),
        "overdue": sum(p["promised_delivery_ts"] is not None and p["promised_delivery_ts"] < horizon for p in still),
        "open": len(still),
        "parcels": len(group),
    }


def kept(p):
    return p["delivered_at"] is not None and p["delivered_at"] <= p["promised_delivery_ts"]
