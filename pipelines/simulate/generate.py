"""The simulation from beginning to end: lives are lived in the order of the orders, and written as they pass."""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.simulate.hubs import HubFiles
from pipelines.simulate.noise import Stream
from pipelines.simulate.parcels import order
from pipelines.simulate.shop import START, order_times, storms
from pipelines.simulate.truth import Truth, rejections_table
from pipelines.simulate.write import new_folder, write_manifest, write_tables
from schemas.fields import DAY, to_text

_STEP = 500
_STORMS_AHEAD = 60
"""Days past the last order for which there is weather."""


def run(out: Path, orders: int, days: int, seed: int, progress: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Simulate a shop into a folder and give its manifest; the same numbers always give the same bytes.

    Args:
        out: the folder; made new, or in place of an earlier simulation.
        orders: how many orders are placed.
        days: over how many days from 2025-06-01; what happens later is not written.
        seed: of all randomness.
        progress: is told now and then how many orders are done.

    Raises:
        ValueError: there is no order or no day, or the folder holds something other than an earlier simulation.
    """
    if orders < 1 or days < 1:
        raise ValueError("A simulation takes at least one order and one day.")
    with new_folder(out) as folder, (folder / "events.jsonl").open("wb") as sink, _without_gc():
        truth, stream, hub_files = Truth(), Stream(seed, sink), HubFiles(seed, folder / "hub_scans")
        _live(truth, stream, hub_files, orders, days, seed, progress)
        tables = truth.tables() | {"rejections": rejections_table(stream.rejections)}
        write_tables(folder / "truth", tables)
        manifest = {
            "orders": orders,
            "days": days,
            "seed": seed,
            "horizon": to_text(truth.horizon),
            "events": stream.events,
            "lines": stream.sent,
            "duplicates": stream.duplicates,
            "out_of_order": stream.disorderly,
            "late": stream.late,
            "hub_scan_lines": hub_files.lines,
            "hub_scan_files": hub_files.files,
            "truth": {name: table.num_rows for name, table in sorted(tables.items())},
        }
        write_manifest(folder, manifest)
    return manifest


def _live(
    truth: Truth,
    stream: Stream,
    hub_files: HubFiles,
    orders: int,
    days: int,
    seed: int,
    progress: Callable[[int], None] | None,
) -> None:
    rng = random.Random(f"plan {seed}")
    end = START + days * DAY
    stormy = storms(rng, days + _STORMS_AHEAD)
    flushed = START
    for number, placed in enumerate(order_times(rng, orders, days)):
        if placed // DAY > flushed // DAY:
            # Nothing of this order or a later one can happen, or arrive, before it is placed.
            stream.flush(before=placed)
            hub_files.flush(before=placed)
            flushed = placed
        for journey in order(rng, number, placed, stormy):
            steps = [step for step in journey.steps if step.ts < end]
            scans = [scan for scan in journey.scans if scan.ts < end]
            if steps:
                truth.add(journey, steps, scans)
                stream.send(journey, steps)
                hub_files.note(journey, scans)
        if progress is not None and (number + 1) % _STEP == 0:
            progress(number + 1)
    stream.flush()
    hub_files.flush()
    if progress is not None:
        progress(orders)


@contextmanager
def _without_gc() -> Iterator[None]:
    """Keep the collector from walking millions of rows that form no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
