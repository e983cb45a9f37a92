"""A simulated day, played to a live run; and what the lake and the database must say of it in the end."""

import json
import threading
import time
from pathlib import Path

import duckdb

from pipelines.query import open_lake
from schemas.clock import Clock
from schemas.fields import SECOND, parse_time
from schemas.news import STAGE_OF, idempotency_key
from tests.pipelines.lakes import differences
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


class Playing(threading.Thread):
    """The day, played beside the test."""

    def __init__(self, shop: Path, clock: Clock, send):
        """Take what `play` takes."""
        super().__init__(daemon=True)
        self.played = shop, clock, send

    def run(self):
        """Play it."""
        play(*self.played)


def check_lake(shop: Path, lake: Path) -> None:
    """Make sure that the lake has every true row, and none beside."""
    for name, view in TRUE.items():
        _, lacking, extra = differences(lake, shop, name, view)
        assert lacking == [], f"{name}: lacking"
        assert extra == [], f"{name}: beside the truth"


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


def check_messages(store: str, receiver) -> int:
    """Make sure that what was to be told came, each piece by one key; give how many came again by the same key."""
    rows = ask(store, "select order_id, tracking_number, milestone, channel, state from outbox")
    assert {row[4] for row in rows} <= {"sent", "stale"}
    assert set(receiver.requests) == {idempotency_key(*row[:4]) for row in rows if row[4] == "sent"}
    return sum(receiver.requests.values()) - len(receiver.requests)


def until_sent(store: str, patience: float = 60) -> None:
    """Wait until nothing in the outbox is left to be sent."""
    until = time.monotonic() + patience
    while ask(store, "select count(*) from outbox where state in ('pending', 'sending')")[0][0]:
        assert time.monotonic() < until, "the outbox is not empty"
        time.sleep(0.2)


def check_same(one: Path, other: Path, *names: str) -> None:
    """Make sure that two lakes have the same rows in tables or views."""
    with open_lake(one) as first, open_lake(other) as second, duckdb.connect() as db:
        for name in names:
            db.register("one", first.sql(f"select * from {name}").to_arrow_table())
            db.register("other", second.sql(f"select * from {name}").to_arrow_table())
            found = db.sql("(from one except all from other) union all (from other except all from one) limit 3")
            assert found.fetchall() == [], f"{name} differ"
