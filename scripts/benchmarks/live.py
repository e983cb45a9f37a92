"""The live job, beside a loop written by hand."""

import json
import sys
from pathlib import Path

import rich

from scripts.benchmarks.processes import run

EVENTS_PER_ORDER = 10.6
"""Of the simulated shop."""


def bench_live(work: Path, events: int) -> dict[str, float]:
    """Take events through the whole live graph, lake included, and through the loop; 1/10 of them first."""
    measured = {}
    for size in (events // 10, events):
        shop = work / f"shop-{size}"
        run(
            sys.executable,
            "-m",
            "pipelines",
            "simulate",
            "--out",
            str(shop),
            "--orders",
            str(max(1, int(size / EVENTS_PER_ORDER))),
        )
        lines = json.loads((shop / "manifest.json").read_text())["lines"]
        source, lake = str(shop / "events.jsonl"), work / f"lake-{size}"
        graph = run(sys.executable, "-m", "pipelines", "live", "--input", source, "--lake", str(lake))
        loop = run(sys.executable, "-m", "scripts.benchmarks.live_loop", source, str(work / f"loop-{size}"))
        measured[size] = (lines, graph, loop)
        rich.get_console().print(
            f"{lines:>9,} events: graph {lines / graph.seconds:>7,.0f}/s, {graph.peak_mib:,.0f} MiB;"
            f" loop {lines / loop.seconds:>7,.0f}/s, {loop.peak_mib:,.0f} MiB;"
            f" ratio {graph.seconds / loop.seconds:.2f}",
            soft_wrap=True,
        )
        same_answer(lake, work / f"loop-{size}")
    (few, small, _), (many, large, loop) = measured.values()
    return {
        "events": many,
        "events_per_s": round(many / large.seconds),
        "baseline_events_per_s": round(many / loop.seconds),
        "ratio": round(large.seconds / loop.seconds, 2),
        "peak_rss_mib": round(large.peak_mib),
        "baseline_peak_rss_mib": round(loop.peak_mib),
        "cost_per_event_many_to_few": round((large.seconds / many) / (small.seconds / few), 2),
    }


def same_answer(lake: Path, loop: Path) -> None:
    """Make sure that both found the same: a benchmark of two different answers is none."""
    from pipelines.query import open_lake

    with open_lake(lake) as db:
        ours = db.sql(
            """select (select count(*) from events), (select count(*) from milestones),
                (select count(*) from current_alerts), (select count(*) from current_alerts where state = 'cleared'),
                (select count(*) from visits), (select count(*) from rejections)"""
        ).fetchall()[0]
    theirs = tuple(json.loads((loop / "counts.json").read_text()))
    if ours != theirs:
        sys.exit(f"The graph and the loop disagree: {ours} and {theirs}.")
