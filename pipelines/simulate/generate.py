"""The simulation from beginning to end: lives are lived in the order of the orders, and written as they pass."""

import gc
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.simulate.hubs import HubFiles
from pipelines.simulate.journey import Journey
from pipelines.simulate.noise import Stream
from pipelines.simulate.parcels import order
from pipelines.simulate.reissue import Reissue
from pipelines.simulate.shop import START, order_times, storms
from pipelines.simulate.tables import rejections_table
from pipelines.simulate.trouble import Trouble
from pipelines.simulate.truth import Truth
from pipelines.simulate.write import new_folder, write_manifest, write_tables
from schemas.fields import DAY, Micros, to_text

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
        making = Making(folder, sink, days, seed)
        _live(making, orders, days, seed, progress)
        live, night = making.truth.settle()
        live["rejections"] = rejections_table(making.stream.rejections)
        write_tables(folder / "truth", live)
        write_tables(folder / "truth" / "nightly", night)
        manifest = {"orders": orders, "days": days, "seed": seed} | making.counts()
        manifest["truth"] = {name: table.num_rows for name, table in sorted(live.items())}
        manifest["truth_nightly"] = {name: table.num_rows for name, table in sorted(night.items())}
        write_manifest(folder, manifest)
    return manifest


class Making:
    """All that a simulation writes, in the making."""

    def __init__(self, folder: Path, sink: BinaryIO, days: int, seed: int) -> None:
        """Take the folder, and where the events go."""
        self.end = START + days * DAY
        self.truth, self.stream, self.trouble = Truth(), Stream(seed, sink), Trouble(seed, self.end)
        self.reissue = Reissue(seed)
        # What happens on the last evening but is of the next day where it happens has not come yet.
        self.hub_files = HubFiles(seed, folder / "hub_scans", range(START // DAY, self.end // DAY))

    def add(self, planned: Journey) -> None:
        """Take what happened to a parcel by the end of the span, whatever waybills it went under."""
        for journey in self.reissue.part(planned):
            self._add(journey)

    def _add(self, journey: Journey) -> None:
        steps = [step for step in journey.steps if step.ts < self.end]
        scans = [scan for scan in journey.scans if scan.ts < self.end]
        if not steps:
            return
        carrier = journey.carrier.name
        sent, held = self.trouble.part(journey, steps, scans)
        stranger = self.trouble.stranger(journey, held)
        self.truth.add(journey, sent, self.hub_files.note(carrier, journey.tracking_number, held))
        if stranger is not None:
            self.truth.add_unknown(carrier, stranger[0], self.hub_files.note(carrier, *stranger))
        self.stream.send(journey, sent)

    def flush(self, before: Micros | None = None) -> None:
        """Write what nothing can be added to any more, if no order is placed before `before`."""
        self.stream.flush(before)
        self.hub_files.flush(before)

    def counts(self) -> dict[str, Any]:
        """Give what there is of each thing."""
        stream, files, trouble = self.stream, self.hub_files, self.trouble
        return {
            "horizon": to_text(self.truth.horizon),
            "events": stream.events,
            "lines": stream.sent,
            "duplicates": stream.duplicates,
            "out_of_order": stream.disorderly,
            "late": stream.late,
            "missed_live": trouble.missed_live,
            "missed_batch": trouble.missed_batch,
            "shifted": trouble.shifted,
            "unknown_waybills": self.truth.unknown,
            "fed": self.truth.fed,
            "reissued": self.reissue.reissued,
            "hub_scan_lines": files.lines,
            "hub_scan_files": files.files,
            "hub_scans_late": files.late,
            "hub_scans_overlapping": files.overlapping,
            "hub_information_lines": files.information,
            "hub_files_corrected": files.corrected,
        }


def _live(making: Making, orders: int, days: int, seed: int, progress: Callable[[int], None] | None) -> None:
    rng = random.Random(f"plan {seed}")
    stormy = storms(rng, days + _STORMS_AHEAD)
    flushed = START
    for number, placed in enumerate(order_times(rng, orders, days)):
        if placed // DAY > flushed // DAY:
            # Nothing of this order or a later one can happen, or arrive, before it is placed.
            making.flush(before=placed)
            flushed = placed
        for journey in order(rng, number, placed, stormy):
            making.add(journey)
        if progress is not None and (number + 1) % _STEP == 0:
            progress(number + 1)
    making.flush()
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
