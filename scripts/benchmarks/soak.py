"""Whether state stays flat while parcels come and go: the size of checkpoints and of memory at 1/4, 1/2 and the end."""

import statistics
import threading
from pathlib import Path

import rich

from schemas.spool import SpoolWriter
from scripts.benchmarks.latency import START, committed
from scripts.benchmarks.stream import FollowedRun, Motion
from scripts.postgres.cluster import Postgres
from transforms.tell.stores import migrate

RATE = 2_000
"""Events a second."""
LOOK = 0.5
"""Seconds between two looks."""

POLICY = """
[intake]
out_of_order = "2 s"
[memory]
closed = "10 s"
"""
"""Parcels are forgotten as soon as all is said, so that in a short trial as many go as come."""


def bench_soak(work: Path, seconds: int, rate: int = RATE) -> dict[str, float]:
    """Let parcels come and go for so long; give the figures, and how the end compares with the half."""
    policy = work / "policy.toml"
    policy.write_text(POLICY)
    with Postgres(settings=("track_commit_timestamp=on",)) as database:
        migrate(database.dsn)
        options = ("--policy", str(policy), "--checkpointing_interval=2000")
        with SpoolWriter(work / "spool") as writer, FollowedRun(work, work / "spool", database.dsn, *options) as run:
            Motion(100, writer.append, "warm").run(1)
            run.until(lambda: bool(committed(database.dsn)), START)
            # Until the first parcels are forgotten there are ever more of them.
            Motion(rate, writer.append, "ramp").run(50)
            looks: list[tuple[float, float, float]] = []
            over = threading.Event()
            looking = threading.Thread(target=_look, args=(run, looks, over))
            looking.start()
            motion = Motion(rate, writer.append, "soak")
            motion.run(seconds)
            over.set()
            looking.join()
    figures = {name: _around(looks, share) for name, share in (("quarter", 0.25), ("half", 0.5), ("end", 1.0))}
    rich.get_console().print(f"{motion.published:,} events of {motion.published // 8:,} parcels in {seconds} s")
    for name, (state, worker, flink) in figures.items():
        rich.get_console().print(
            f"at the {name}: {state:.1f} MiB of state at most, {worker:,.0f} MiB in the worker, {flink:,.0f} in Flink"
        )
    found = {
        f"{what}_mib_at_{name}": round(values[at], 1)
        for name, values in figures.items()
        for at, what in enumerate(("state", "worker", "flink"))
    }
    compared = zip(("state", "worker", "flink"), figures["half"], figures["end"], strict=True)
    return found | {f"{what}_end_to_half": round(end / half, 2) for what, half, end in compared}


def _look(run: FollowedRun, looks: list[tuple[float, float, float]], over: threading.Event) -> None:
    while not over.wait(LOOK):
        looks.append((run.state_mib(), *run.rss_mib()))


def _around(looks: list[tuple[float, float, float]], share: float) -> tuple[float, ...]:
    """Give the peak of the state in the quarter before a moment, and the median of memory in its last tenth.

    State is a snapshot and a log that grows until the next one: at a single moment it tells little.
    """
    end = int(len(looks) * share)
    quarter, tenth = looks[max(0, end - len(looks) // 4) : end], looks[max(0, end - len(looks) // 10) : end]
    return (
        max(state for state, *_ in quarter),
        statistics.median(worker for _, worker, _ in tenth),
        statistics.median(flink for *_, flink in tenth),
    )
