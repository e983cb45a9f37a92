"""The carriers' nightly files: late scans, scans that two files hold, lines twice, and files that come corrected."""

import gzip
import io
import random
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple, Optional

from msgspec import Struct

from pipelines.simulate.dialects import DIALECTS, Dialect
from pipelines.simulate.journey import Scan
from pipelines.simulate.shop import HUBS
from schemas.fields import DAY, HOUR, MINUTE, Micros, to_text

DUPLICATES, LATE, INFORMATION, CORRECTED = 0.003, 0.01, 0.01, 1 / 15
"""Shares of the scans: twice in a file, in a later day's file, beside a line that tells nothing; share of the files."""

_OVERLAP = 2 * HOUR
"""So much of the end of a day stands in the next day's file again."""

_HUBS = tuple(hub for pair in HUBS.values() for hub in pair)


class Filed(Struct, array_like=True, gc=False):
    """A scan as the files tell it."""

    ts: Micros
    stage: str
    reason: Optional[str]
    hub: str
    code: str


class _Line(NamedTuple):
    """A line in the making; lines are sorted by local time, and lines of one moment as they were noted."""

    local: Micros
    number: int
    waybill: str
    code: str
    hub: str
    zone: str


class HubFiles:
    """The files under hub_scans/. Holds only the lines of days that may still grow."""

    def __init__(self, seed: int, folder: Path, days: range) -> None:
        """Take the folder the files go to, and the days, counted from 1970, of which there are files."""
        self.seed = seed
        self.rng = random.Random(f"hubs {seed}")
        self.folder = folder
        self.days = days
        self.open: defaultdict[tuple[int, str], list[_Line]] = defaultdict(list)
        self.noted = self.lines = self.files = self.late = self.overlapping = self.information = self.corrected = 0

    def note(self, carrier: str, waybill: str, scans: list[Scan]) -> list[Filed]:
        """Note these scans of a parcel; give those that any file holds, in the order of time, as it tells them."""
        dialect = DIALECTS[carrier]
        filed: dict[tuple[Micros, str, str], Filed] = {}
        for scan in scans:
            code = dialect.code_of(scan.stage, scan.reason)
            hub = "" if scan.stage in dialect.hubless else scan.hub
            moment = dialect.moment(scan.ts, hub)
            days = [day for day in self._days_of(moment.local) if day in self.days]
            for day in days:
                of_day = self.open[day, carrier]
                for _ in range(2 if self.rng.random() < DUPLICATES else 1):
                    self._put(of_day, moment.local, waybill, code.written, hub, moment.zone)
                if dialect.information and self.rng.random() < INFORMATION:
                    self.information += 1
                    said = self.rng.choice(dialect.information).written
                    self._put(of_day, moment.local, waybill, said, hub, moment.zone)
            if days:
                filed[moment.ts, code.text, hub] = Filed(moment.ts, scan.stage, code.reason, hub, code.text)
        return [filed[key] for key in sorted(filed)]

    def flush(self, before: Micros | None = None) -> None:
        """Write the files of the days before the day before `before`; nothing older may be noted later."""
        for day, carrier in sorted(self.open):
            if before is None or day < before // DAY - 1:
                self._write(day, carrier, sorted(self.open.pop((day, carrier))))

    def _days_of(self, local: Micros) -> tuple[int, ...]:
        day, rest = divmod(local, DAY)
        if self.rng.random() < LATE:
            self.late += 1
            return (day + 1 + int(self.rng.random() * 3),)
        if rest >= DAY - _OVERLAP:
            self.overlapping += 1
            return day, day + 1
        return (day,)

    def _put(self, lines: list[_Line], local: Micros, waybill: str, code: str, hub: str, zone: str) -> None:
        self.noted += 1
        lines.append(_Line(local, self.noted, waybill, code, hub, zone))

    def _write(self, day: int, carrier: str, lines: list[_Line]) -> None:
        dialect = DIALECTS[carrier]
        rng = random.Random(f"corrected {self.seed} {carrier} {day}")
        folder = self.folder / carrier
        folder.mkdir(parents=True, exist_ok=True)
        date = to_text(day * DAY)[:10]
        if rng.random() < CORRECTED:
            self.corrected += 1
            self._pack(folder / f"{date}.csv", dialect, _spoil(rng, lines))
            date = f"{date}.v2"
        self._pack(folder / f"{date}.csv", dialect, lines)

    def _pack(self, file: Path, dialect: Dialect, lines: list[_Line]) -> None:
        self.files += 1
        self.lines += len(lines)
        written = [dialect.line(line.local, line.zone, line.waybill, line.code, line.hub) for line in lines]
        content = dialect.content(written)
        # A time of packing would make the bytes depend on when they were written.
        if dialect.packing == ".gz":
            content = gzip.compress(content, compresslevel=6, mtime=0)
        elif dialect.packing == ".zip":
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                member = zipfile.ZipInfo(file.name, date_time=(1980, 1, 1, 0, 0, 0))
                archive.writestr(member, content, zipfile.ZIP_DEFLATED)
            content = packed.getvalue()
        file.with_name(file.name + dialect.packing).write_bytes(content)


def _spoil(rng: random.Random, lines: list[_Line]) -> list[_Line]:
    """Give a day's lines as they were before the correction: some missing, some wrong, some of parcels not there."""
    spoilt: list[_Line] = []
    for line in lines:
        chance = rng.random()
        if chance < 0.04:
            continue
        if chance < 0.06:
            line = line._replace(hub=rng.choice(_HUBS))
        elif chance < 0.08:
            earlier = line.local - int((1 + rng.random() * 50) * MINUTE)
            # No earlier than the day the line is of, lest the file be of another.
            line = line._replace(local=max(earlier, line.local // DAY * DAY))
        spoilt.append(line)
    for line in rng.sample(lines, min(3, len(lines))):
        spoilt.append(line._replace(waybill=f"{line.waybill[:2]}G{line.waybill[3:]}"))
    return sorted(spoilt)
