"""A simulated day, played to a live run; and what the lake and the database must say of it in the end."""

import json
import time
from pathlib import Path

import duckdb

from pipelines.query import open_lake
from schemas.clock import Clock
from schemas.fields import SECOND, parse_time
from schemas.news import STAGE_OF
from tests.servers import ask

DAY = parse_time("2025-06-01T00:00:00Z")
TRUE = {
    "milestones": "milestones",
    "alerts": "current_alerts",
    "visits": "visits",
    "rejections": "rejections",
}


def horizon(shop: Path) -> int:
    """Give the newest event's time: the world is known up to it, and there the clock stands still."""
    return parse_time(json.loads((shop / "manifest.json").read_text())["horizon"])


def still(shop: Path) -> Clock:
    """Give a clock on which the day has passed already."""
    return Clock(until=horizon(shop))


def compressed(shop: Path, seconds: float, delay: float) -> Clock:
    """Give a clock on which the day begins after a delay, and passes in so many seconds."""
    begin = time.time_ns() // 1000 + int(delay * SECOND)
    return Clock(begin, DAY, (horizon(shop) - DAY) / SECOND / seconds, horizon(shop))


def play(shop: Path, clock: Clock, send) -> int:
    """Send the day's lines in the order in which they arrived, as the clock passes; give how many there were."""
    lines = (shop / "events.jsonl").read_bytes().splitlines()
    done = 0
    while done < len(lines):
        passed = (clock.now() - DAY) / max(1, clock.until - DAY)
        due = min(len(lines), max(0, int(len(lines) * passed)))
        if due > done:
            send(lines[done:due])
            done = due
        time.sleep(0.1)
    return len(lines)


def check_lake(shop: Path, lake: Path) -> None:
    """Make sure that the lake has every true row, and none beside."""
    for name, view in TRUE.items():
        truth = shop / "truth" / f"{name}.parquet"
        columns = ", ".join(column for column, *_ in duckdb.sql(f"describe from '{truth}'").fetchall())
        with open_lake(lake) as db:
            found = db.sql(f"select {columns} from {view}").to_arrow_table()
        with duckdb.connect() as db:
            db.execute("set timezone = 'UTC'")
            db.register("found", found)
            true = f"(select {columns} from '{truth}')"
            assert db.sql(f"from {true} except all from found limit 3").fetchall() == [], f"{name}: lacking"
            assert db.sql(f"from found except all from {true} limit 3").fetchall() == [], f"{name}: beside the truth"


def check_store(shop: Path, store: str) -> None:
    """Make sure that the database tells of each parcel what is true, and has each piece of news once."""
    first = f"'{shop / 'truth' / 'first_milestones.parquet'}'"
    news = ", ".join(f"'{stage}'" for stage in STAGE_OF.values())
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        parcels = db.sql(
            f"""select order_id, tracking_number, epoch_us(min(event_ts) filter (milestone = 'picked')),
                epoch_us(min(event_ts) filter (milestone = 'carrier_scanned'))
            from {first} group by all order by all"""
        ).fetchall()
        wanted = db.sql(
            f"select order_id, tracking_number, milestone from {first} where milestone in ({news}) order by all"
        ).fetchall()
    assert sorted(ask(store, _TIMES.format(**_micros(store)))) == parcels
    told = ask(store, "select order_id, tracking_number, milestone from outbox")
    assert sorted((order, waybill, STAGE_OF[milestone]) for order, waybill, milestone in told) == wanted


_TIMES = "select order_id, tracking_number, {picked_at}, {carrier_scanned_at} from order_fulfillment_live"


def _micros(store: str) -> dict[str, str]:
    form = "{}" if store.startswith("sqlite") else "(extract(epoch from {}) * 1000000)::bigint"
    return {name: form.format(name) for name in ("picked_at", "carrier_scanned_at")}
