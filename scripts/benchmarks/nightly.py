"""The night, beside one script in DuckDB and one in Polars that are told to give the same answers."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import rich

from scripts.benchmarks.bulk_files import DAY_NAMES
from scripts.benchmarks.processes import Run, run

REPORTS = ("hubs", "reconciliation")
RIVALS = ("duckdb", "polars")
FEWER = 5
"""The first, smaller run has this part of the scans and of the events."""


def bench_nightly(work: Path, scans: int, events: int) -> dict[str, float]:
    """Take bulk files through a night and its reports, and through the scripts; a fifth of scans and events first."""
    measured = [_measure(work / f"shop-{part}", scans // part, events // part) for part in (FEWER, 1)]
    (few, small, _), (many, large, rival) = measured
    growth = (large.seconds / many) / (small.seconds / few)
    rich.get_console().print(f"Cost per scan, of {many:,} to that of {few:,}: {growth:.2f}", soft_wrap=True)
    return {
        "scans": many,
        "seconds": round(large.seconds, 2),
        "events_per_s": round(many / large.seconds),
        "baseline_events_per_s": round(many / rival.seconds),
        "ratio": round(large.seconds / rival.seconds, 2),
        "cpu_seconds": round(large.cpu, 2),
        "baseline_cpu_seconds": round(rival.cpu, 2),
        "peak_rss_mib": round(large.peak_mib),
        "baseline_peak_rss_mib": round(rival.peak_mib),
        "cost_per_scan_many_to_few": round(growth, 2),
    }


def _measure(shop: Path, scans: int, events: int) -> tuple[int, Run, Run]:
    """Run all three on one shop; give the number of lines, our run, and the better one of the others."""
    # In a process of its own: a child counts its parent's memory at the time of its birth as its own.
    run(sys.executable, "-m", "scripts.benchmarks.bulk_files", str(shop), str(scans), str(events))
    lines, told = json.loads((shop / "counts.json").read_text())
    drop, live, lake = str(shop / "drop"), shop / "live", shop / "lake"
    shutil.copytree(live, lake)
    rivals = {
        name: run(
            sys.executable, "-m", f"scripts.benchmarks.night_in_{name}", drop, str(live / "events"), str(shop / name)
        )
        for name in RIVALS
    }
    days = ["--from", DAY_NAMES[0], "--to", DAY_NAMES[-1]]
    ours = night = run(sys.executable, "-m", "pipelines", "nightly", "--drop", drop, "--lake", str(lake), *days)
    for name in REPORTS:
        ours = ours.then(run(sys.executable, "-m", "pipelines", "report", name, "--lake", str(lake)))
    better = min(rivals, key=lambda name: rivals[name].seconds)
    others = "; ".join(
        f"{name} {one.seconds:.1f} s ({one.cpu:.1f} CPU), {one.peak_mib:,.0f} MiB" for name, one in rivals.items()
    )
    rich.get_console().print(
        f"{lines:>9,} scans, {told:,} events: nightly {night.seconds:.1f} s, with its reports {ours.seconds:.1f} s"
        f" ({ours.cpu:.1f} CPU), {ours.peak_mib:,.0f} MiB; {others};"
        f" ratio to {better} {ours.seconds / rivals[better].seconds:.2f}",
        soft_wrap=True,
    )
    same_answer(lake, {name: shop / name for name in RIVALS})
    shutil.rmtree(shop)
    return lines, ours, rivals[better]


def same_answer(lake: Path, others: dict[str, Path]) -> None:
    """Make sure that all found the same: a benchmark of different answers is none."""
    ours = _answer(lake)
    for name, folder in others.items():
        theirs = json.loads((folder / "answer.json").read_text())
        for what, found in ours.items():
            if json.loads(json.dumps(found, default=float)) != theirs[what]:
                sys.exit(f"The night and {name} disagree about {what}:\n{found}\n{theirs[what]}")


def _answer(lake: Path) -> dict[str, list[tuple[Any, ...]]]:
    from pipelines.query import open_lake

    with open_lake(lake) as db:
        return {
            "hub_scans": db.sql("select count(*) from hub_scans").fetchall(),
            "legs": db.sql("select count(*), round(sum(dwell_minutes)) from hub_legs").fetchall(),
            "findings": db.sql(
                "select finding, counts, count(*), sum(scans) from reconciliation group by all order by all"
            ).fetchall(),
            "shipments": db.sql(
                """select outcome, count(*), round(sum(late_minutes)), round(sum(late_by_carrier)), sum(hub_scans)
                from shipments group by all order by all"""
            ).fetchall(),
        }
