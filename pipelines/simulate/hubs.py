"""The carriers' nightly files: a CSV of hub scans a carrier and day, with a few lines twice."""

import gzip
import random
from collections import defaultdict
from pathlib import Path

from pipelines.simulate.clock import write_time
from pipelines.simulate.journey import Journey, Scan
from pipelines.simulate.shop import CARRIERS, Carrier
from schemas.fields import DAY, Micros

HEADER = "carrier,tracking_number,scan_ts,code,hub"
DUPLICATES = 0.003

_BY_NAME = {carrier.name: carrier for carrier in CARRIERS}


class HubFiles:
    """The files under hub_scans/. Holds only the lines of days that may still grow."""

    def __init__(self, seed: int, folder: Path) -> None:
        """Take the folder the files go to."""
        self.rng = random.Random(f"hubs {seed}")
        self.folder = folder
        self.open: defaultdict[tuple[int, str], list[tuple[Micros, int, str]]] = defaultdict(list)
        self.lines = self.files = 0

    def note(self, journey: Journey, scans: list[Scan]) -> None:
        """Note these hub scans of a parcel."""
        carrier = journey.carrier.name
        for scan in scans:
            line = f"{carrier},{journey.tracking_number},{write_time(scan.ts)},{scan.code},{scan.hub}\n"
            of_day = self.open[scan.ts // DAY, carrier]
            for _ in range(2 if self.rng.random() < DUPLICATES else 1):
                self.lines += 1
                of_day.append((scan.ts, self.lines, line))

    def flush(self, before: Micros | None = None) -> None:
        """Write the files of the days before the one of `before`; no scan of such a day may be noted later."""
        for day, name in sorted(self.open):
            if before is None or day < before // DAY:
                self._write(day, _BY_NAME[name], self.open.pop((day, name)))

    def _write(self, day: int, carrier: Carrier, lines: list[tuple[Micros, int, str]]) -> None:
        self.files += 1
        lines.sort()
        content = f"{HEADER}\n{''.join(line for _, _, line in lines)}".encode()
        folder = self.folder / carrier.name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{write_time(day * DAY)[:10]}.csv"
        if carrier.gzip:
            # A time in the header would make the bytes depend on when they were written.
            file, content = file.with_suffix(".csv.gz"), gzip.compress(content, compresslevel=6, mtime=0)
        file.write_bytes(content)
