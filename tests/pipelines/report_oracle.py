"""What every report must say, in plain loops over plain rows: by another road than the SQL.

Rows are dicts; times are microseconds. Parcels come from the simulator's truth, or are folded out of events.
"""

import itertools
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from schemas.fields import DAY, HOUR, MINUTE
from schemas.stages import CARRIER_STAGES, CRITICAL_STAGES
from tests.pipelines.plain_parcels import grouped, kept, mean, quantile, rate, spans

MOVES = {"in_transit", "hub_in", "hub_out"}


def lanes(parcels):
    """Give what the report tells of a lane's delay."""
    judged = [p for p in parcels if p["outcome"] in ("on_time", "late", "breached")]
    usual = {key: rate(_late(group), len(group)) for key, group in grouped(judged, "carrier").items()}
    answer = {}
    for key, group in grouped(parcels, "carrier", "origin_region", "dest_region").items():
        some = [p for p in group if p["outcome"] in ("on_time", "late", "breached")]
        low, high = wilson(_late(some), len(some)) if some else (None, None)
        own = usual.get(key[:1])
        answer[key] = {
            "chronic": False if len(some) < 30 else low > own,
            "judged": len(some),
            "late_pct": rate(_late(some), len(some)),
            "late_low_pct": low,
            "late_high_pct": high,
            "carrier_late_pct": own,
        }
    return answer


def _late(group):
    return sum(p["outcome"] != "on_time" for p in group)


def wilson(some, all_):
    """Solve |share - p| = z sqrt(p (1 - p) / n) for p: the two ends of the interval, in percent."""
    share, z = some / all_, 3.09
    a, b, c = 1 + z * z / all_, -(2 * share + z * z / all_), share * share
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return max(0.0, 100 * (-b - root) / (2 * a)), min(100.0, 100 * (-b + root) / (2 * a))


def on_time(parcels, horizon):
    """Give the report on_time, by carrier."""
    chosen = [p for p in parcels if p["promised_delivery_ts"] is not None]
    answer = {}
    for (carrier,), group in grouped(chosen, "carrier").items():
        delivered = [p for p in group if p["delivered_at"] is not None]
        due = [p for p in group if p["promised_delivery_ts"] <= horizon]
        tried = [(p, t) for p in group if (t := _tried(p)) is not None]
        seen = [p for p in due if p["carrier_scanned_at"] is not None]
        usual, free = rate(sum(map(kept, group)), len(delivered)), rate(sum(map(kept, due)), len(due))
        orders = [
            o for o in grouped(group, "order_id").values() if all(p["promised_delivery_ts"] <= horizon for p in o)
        ]
        perfect = [o for o in orders if all(kept(p) and not p["exceptions"] for p in o)]
        answer[carrier] = {
            "parcels": len(group),
            "delivered_only_pct": usual,
            "survivor_free_pct": free,
            "gap_points": None if usual is None or free is None else usual - free,
            "latest_promise_pct": rate(
                sum(p["delivered_at"] <= p["latest_promised_delivery_ts"] for p in delivered), len(delivered)
            ),
            "by_day_pct": rate(
                sum(p["delivered_at"] // DAY <= p["promised_delivery_ts"] // DAY for p in delivered), len(delivered)
            ),
            "first_attempt_pct": rate(sum(t <= p["promised_delivery_ts"] for p, t in tried), len(tried)),
            "late_pickup_pct": rate(sum(t <= p["promised_delivery_ts"] + _held_up(p) for p, t in tried), len(tried)),
            "tracked_pct": rate(sum(map(kept, seen)), len(seen)),
            "otif_pct": rate(len(perfect), len(orders)),
        }
    return answer


def _tried(p):
    times = [p[name] for name in ("delivered_at", "attempt_failed_at", "available_for_pickup_at")]
    return min((t for t in times if t is not None), default=None)


def _held_up(p):
    if p["labeled_at"] is None or p["carrier_scanned_at"] is None:
        return 0
    return max(0, p["carrier_scanned_at"] - p["labeled_at"] - 2 * HOUR)


def promise(parcels, events):
    """Give the report promise, by carrier."""
    promises = defaultdict(set)
    for event in events:
        if event["promised_delivery_ts"] is not None:
            promises[event["order_id"], event["tracking_number"]].add(event["promised_delivery_ts"])
    answer = {}
    for (carrier,), group in grouped(parcels, "carrier").items():
        promised = [p for p in group if p["promised_delivery_ts"] is not None]
        errors = spans(promised, "promised_delivery_ts", "delivered_at", HOUR)
        last = spans(promised, "latest_promised_delivery_ts", "delivered_at", HOUR)
        anew = [len(promises[p["order_id"], p["tracking_number"]]) - 1 for p in promised]
        answer[carrier] = {
            "parcels": len(group),
            "promised": len(promised),
            "coverage_pct": rate(len(promised), len(group)),
            "delivered": len(errors),
            "bias_hours": mean(errors),
            "mae_hours": mean(list(map(abs, errors))),
            "p90_hours": quantile(errors, 0.9),
            "within_1d_pct": rate(sum(-24 < e < 24 for e in errors), len(errors)),
            "early_1d_pct": rate(sum(e <= -24 for e in errors), len(errors)),
            "last_bias_hours": mean(last),
            "last_mae_hours": mean(list(map(abs, last))),
            "revised": sum(a > 0 for a in anew),
            "revised_pct": rate(sum(a > 0 for a in anew), len(promised)),
            "revisions_each": mean(anew),
        }
    return answer


def alerts(lives, parcels):
    """Give the report alerts, by kind; `lives` are alerts in their latest state."""
    by_key = {(p["order_id"], p["tracking_number"]): p for p in parcels}
    answer = {}
    for (kind,), group in grouped(lives, "kind").items():
        held = [a for a in group if a["state"] != "retracted"]
        waits = [(a["state_ts"] - a["due_ts"]) / MINUTE for a in held if a["state"] == "cleared"]
        still = [a["due_ts"] for a in held if a["state"] == "raised"]
        pairs = [(a, by_key.get((a["order_id"], a["tracking_number"]))) for a in held]
        warned = [
            (a, p) for a, p in pairs if p and p["promised_delivery_ts"] and a["due_ts"] < p["promised_delivery_ts"]
        ]
        true = [(a, p) for a, p in warned if p["outcome"] in ("late", "breached", "lost", "failed")]
        averted = sum(p["outcome"] == "on_time" for _, p in warned)
        lead = [(p["promised_delivery_ts"] - a["due_ts"]) / MINUTE for a, p in true]
        answer[kind] = {
            "raised": len(held),
            "cleared": len(waits),
            "open": len(still),
            "retracted": len(group) - len(held),
            "median_min_to_clear": quantile(waits, 0.5),
            "p90_min_to_clear": quantile(waits, 0.9),
            "parcels": len({(a["order_id"], a["tracking_number"]) for a in held}),
            "warnings": len(warned),
            "came_true": len(true),
            "averted": averted,
            "came_true_pct": rate(len(true), len(true) + averted),
            "lead_p50_min": quantile(lead, 0.5),
            "lead_p90_min": quantile(lead, 0.9),
            "oldest_open_due_ts": min(still, default=None),
            "newest_due_ts": max((a["due_ts"] for a in held), default=None),
        }
    return answer


def sla(parcels):
    """Give the report sla, by carrier and status."""
    return {
        key: {
            "parcels": len(group),
            "oldest_promise_ts": min(
                (p["promised_delivery_ts"] for p in group if p["promised_delivery_ts"] is not None), default=None
            ),
            "avg_late_min": mean([p["late_minutes"] for p in group if p["late_minutes"] is not None]),
            "max_late_min": max((p["late_minutes"] for p in group if p["late_minutes"] is not None), default=None),
        }
        for key, group in grouped(parcels, "carrier", "outcome").items()
    }


def hubs(legs, horizon):
    """Give the report hubs, by carrier and hub."""
    answer = {}
    for key, group in grouped(legs, "carrier", "hub").items():
        whole = [leg for leg in group if not (leg["in_inferred"] or leg["out_inferred"])]
        stays = [leg["dwell_minutes"] for leg in whole if leg["dwell_minutes"] is not None]
        there = [leg for leg in group if leg["out_ts"] is None]
        waits = [max(horizon - leg["in_ts"], 0) / MINUTE for leg in there]
        long = [leg["dwell_minutes"] for leg in group if leg["dwell_minutes"] is not None] + waits
        answer[key] = {
            "legs": len(group),
            "dwell_p50_min": quantile(stays, 0.5),
            "dwell_p90_min": quantile(stays, 0.9),
            "over_12h": sum(minutes > 720 for minutes in long),
            "scans_missing_pct": rate(len(group) - len(whole), len(group)),
            "open": len(there),
            "open_p50_min": quantile(waits, 0.5),
            "open_p90_min": quantile(waits, 0.9),
            "oldest_open_ts": min((leg["in_ts"] for leg in there), default=None),
        }
    return answer


def reconciliation(findings, scans, parcels, horizon):
    """Give the report reconciliation, by carrier."""
    ours = {(p["carrier"], p["tracking_number"]) for p in parcels}
    told = defaultdict(set)
    for scan in scans:
        key = scan["carrier"], scan["tracking_number"]
        if key in ours and scan["scan_ts"] <= horizon and scan["stage"] in CRITICAL_STAGES:
            told[scan["carrier"]].add((scan["tracking_number"], scan["stage"]))
    found = grouped(findings, "carrier")
    answer = {}
    for carrier in {*told, *(carrier for (carrier,) in found)}:
        mine = found.get((carrier,), [])
        counts = {
            name: sum(f["finding"] == name for f in mine)
            for name in ("missed_live", "missed_batch", "time_conflict", "unknown_waybill", "after_terminal")
        }
        conflicts = [f for f in mine if f["finding"] == "time_conflict"]
        answer[carrier] = {
            "milestones": len(told[carrier]),
            "missed_live": counts["missed_live"],
            "missed_live_pct": rate(counts["missed_live"], len(told[carrier])),
            "missed_batch": counts["missed_batch"],
            "time_conflict": counts["time_conflict"],
            "batch_counts": sum(f["counts"] == "batch" for f in conflicts),
            "conflict_p50_min": quantile([abs(f["batch_ts"] - f["live_ts"]) / MINUTE for f in conflicts], 0.5),
            "unknown_waybills": counts["unknown_waybill"],
            "after_terminal": counts["after_terminal"],
        }
    return answer


def feeds(live, parcels, files, legs, horizon):
    """Give the report feeds, by carrier; `live` are the events that came live, `files` rows of `hub_files`."""
    live = [e for e in live if e["carrier"] is not None and e["stage"] in CARRIER_STAGES]
    arrived = [p for p in parcels if p["carrier"] is not None and p["delivered_at"] is not None]
    files = [{**f, "carrier": f["file"].split("/")[0]} for f in files]
    newest = max((f["day_ts"] for f in files if f["state"] == "taken"), default=None)
    by_carrier = [grouped(rows, "carrier") for rows in (live, arrived, files, legs)]
    answer = {}
    for (carrier,) in {key for groups in by_carrier for key in groups}:
        events, delivered, mine, stays = (groups.get((carrier,), []) for groups in by_carrier)
        hours = sorted({e["event_ts"] // HOUR for e in events})
        quiet = max((b - a for a, b in itertools.pairwise(hours)), default=None)
        last = max((e["event_ts"] for e in events), default=None)
        now_quiet = None if last is None else (horizon - last) / HOUR
        lags = [(e["received_ts"] - e["event_ts"]) / MINUTE for e in events if e["received_ts"] is not None]
        taken = {f["day_ts"] for f in mine if f["state"] == "taken"}
        late = [(f["left_ts"] - f["day_ts"] - DAY) / HOUR for f in mine]
        answer[carrier] = {
            "live_events": len(events),
            "live_newest_ts": last,
            "silent_hours": now_quiet,
            "longest_silence_hours": quiet,
            "silent": None if now_quiet is None else now_quiet > max(quiet or 1, 1),
            "lag_p50_min": quantile(lags, 0.5),
            "lag_p95_min": quantile(lags, 0.95),
            "future_stamps": sum(lag < 0 for lag in lags),
            "delivered": len(delivered),
            "no_pickup_scan_pct": rate(sum(p["carrier_scanned_at"] is None for p in delivered), len(delivered)),
            "no_door_scan_pct": rate(sum(p["out_for_delivery_at"] is None for p in delivered), len(delivered)),
            "after_delivery": sum(
                p["last_event_ts"] > p["delivered_at"] and p["return_started_at"] is None and p["returned_at"] is None
                for p in delivered
            ),
            "files": sum(f["state"] == "taken" for f in mine),
            "quarantined": sum(f["state"] != "taken" for f in mine),
            "newest_file_day": date(max(taken)) if taken else None,
            "days_missing": (newest - min(f["day_ts"] for f in mine)) // DAY + 1 - len(taken)
            if mine and newest
            else None,
            "file_late_p50_hours": quantile(late, 0.5),
            "file_late_max_hours": max(late, default=None),
            "hub_scans_missing_pct": rate(sum(s["in_inferred"] or s["out_inferred"] for s in stays), len(stays)),
        }
    return answer


def date(micros):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).date()


def cost(live, parcels, files, scans, horizon):
    """Give the report cost, by carrier, at the default prices."""
    files = [{"carrier": f["file"].split("/")[0]} for f in files if f["state"] == "taken"]
    by_carrier = [grouped(rows, "carrier") for rows in (live, parcels, files, scans)]
    answer = {}
    for (carrier,) in {key for groups in by_carrier for key in groups}:
        events, mine, taken, filed = (groups.get((carrier,), []) for groups in by_carrier)
        moves = [sum(row["stage"] in MOVES for row in rows) for rows in (events, filed)]
        messages = len(events) - moves[0] + max(moves)
        calls = sum(
            math.ceil(max((horizon if p["closed_at"] is None else p["closed_at"]) - p["carrier_scanned_at"], 0) / HOUR)
            for p in mine
            if p["carrier_scanned_at"] is not None
        )
        late = [p for p in mine if p["late_minutes"] is not None]
        hours = [(p["late_minutes"] / 60, (p["declared_value"] or 0) >= 500) for p in late]
        hybrid = 0.0005 * len(events) + 0.000002 * len(filed) + 0.005 * len(taken)
        everything = 0.0005 * messages + 0.005 * calls
        lateness = sum(h * (0.25 if dear else 0.05) for h, dear in hours) + len(late) * 5.0 * 0.35
        answer[carrier] = {
            "live_messages": len(events),
            "file_rows": len(filed),
            "files": len(taken),
            "hybrid_cost": hybrid,
            "all_live_messages": messages,
            "all_live_calls": calls,
            "all_live_cost": everything,
            "saved": everything - hybrid,
            "late_parcels": len(late),
            "late_hours": sum(h for h, _ in hours),
            "late_cost": lateness,
            "late_cost_each": lateness / len(late) if late else None,
            "currency": "EUR",
        }
    return answer
