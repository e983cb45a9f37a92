"""How long it takes from an event's publication until Postgres and the outbox have it, at a steady rate.

The row of the parcel and the row of the outbox are committed in one transaction; the outbox's row is never changed
here, so that the time of its commit tells of both. Of eight stages three are news and measured.
"""

from pathlib import Path

import psycopg
import rich

from schemas.news import STAGE_OF
from schemas.spool import SpoolWriter
from scripts.benchmarks.stream import FollowedRun, Motion
from scripts.postgres.cluster import Postgres
from transforms.tell.stores import migrate

RATES = (500, 5_000)
"""Events a second."""
START = 60.0
"""Seconds that a job may take to start."""

_COMMITTED = """select order_id, milestone, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000)::bigint
    from outbox"""


def bench_latency(work: Path, seconds: int) -> dict[str, float]:
    """Publish at each rate for so long; give the figures of all."""
    measured: dict[str, float] = {}
    with Postgres(settings=("track_commit_timestamp=on",)) as database:
        migrate(database.dsn)
        with SpoolWriter(work / "spool") as writer, FollowedRun(work, work / "spool", database.dsn) as run:
            warm = Motion(100, writer.append, "warm")
            warm.run(1)
            run.until(lambda: bool(committed(database.dsn)), START)
            for rate in RATES:
                measured |= _measure(rate, seconds, writer, database.dsn, run)
            measured["peak_rss_mib"] = round(sum(run.rss_mib()))
    return measured


def _measure(rate: int, seconds: int, writer: SpoolWriter, dsn: str, run: FollowedRun) -> dict[str, float]:
    motion = Motion(rate, writer.append, f"r{rate}-")
    motion.run(seconds)
    news = {stage: milestone for milestone, stage in STAGE_OF.items()}
    sent = {
        (f"{motion.named}{parcel}", news[stage]): at for (stage, parcel), at in motion.times.items() if stage in news
    }
    run.until(lambda: sent.keys() <= committed(dsn).keys(), 120)
    came = committed(dsn)
    # In the order in which they were published: a backlog that grows shows as a later half that is slower.
    late = [(came[key] - at) / 1e6 for key, at in sorted(sent.items(), key=lambda item: item[1])]
    half = len(late) // 2
    p50, p95, p99 = (_at(late, share) for share in (0.5, 0.95, 0.99))
    halves = _at(late[:half], 0.5), _at(late[half:], 0.5)
    rich.get_console().print(
        f"{rate:>5,} events/s for {seconds} s ({motion.published:,} events, {len(late):,} measured;"
        f" the publisher fell behind by {motion.behind:.2f} s at most):"
        f" p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s;"
        f" median of the first half {halves[0]:.2f} s, of the second {halves[1]:.2f} s",
        soft_wrap=True,
    )
    return {f"p50_at_{rate}": round(p50, 3), f"p95_at_{rate}": round(p95, 3), f"p99_at_{rate}": round(p99, 3),
            f"later_half_to_first_at_{rate}": round(halves[1] / halves[0], 2)}  # fmt: skip


def _at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def committed(dsn: str) -> dict[tuple[str, str], int]:
    """Give when each row of the outbox was committed."""
    with psycopg.connect(dsn) as db:
        return {(order, milestone): at for order, milestone, at in db.execute(_COMMITTED).fetchall()}
