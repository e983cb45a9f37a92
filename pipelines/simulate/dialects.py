"""How each carrier writes its nightly file. The codes are those of its profile; the rest is said here once more."""

import datetime
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, Optional

from schemas.fields import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime
from schemas.profiles import ANY, Place, Profile, read_profile
from schemas.profiles import FOLDER as BUILT_IN

PROFILES = Path(__file__).parent / "carriers"
"""Profiles of the invented carriers that have a manner of their own."""

_FILL = "10"
"""Stands where a profile takes any value."""

_PADDED = 3


class Code(NamedTuple):
    """One code: as Milepost names it, as the file writes it, and what it says."""

    text: str
    written: str
    reason: Optional[str] = None


class Moment(NamedTuple):
    """A time as a file can tell it: the moment, the local time in microseconds, the written zone."""

    ts: Micros
    local: Micros
    zone: str


@dataclass(frozen=True)
class Dialect:
    """A carrier's way to write a file.

    Attributes:
        profile: the profile that reads it.
        header: the first line.
        row: template of a line, of waybill, date, time, code, hub and zone.
        date: format of its dates, in the letters of strftime.
        time: format of its times.
        zones: by the beginning of a hub's name, the zone as it is written and the IANA zone; "" is for all others.
        tick: resolution of its times in microseconds.
        between: what stands between the columns of a code.
        packing: suffix of its files.
        hubless: stages whose scans name no hub.
    """

    profile: Path
    header: str
    row: str
    date: str
    time: str
    zones: Mapping[str, tuple[str, str]] = field(default_factory=lambda: {"": ("", "UTC")})
    tick: int = SECOND
    between: str = ","
    packing: str = ""
    hubless: frozenset[str] = frozenset()

    @cached_property
    def read_by(self) -> Profile:
        """The profile itself."""
        return read_profile(self.profile)

    @cached_property
    def codes(self) -> dict[tuple[str, Optional[str]], Code]:
        """The code of each stage and reason; a stage with None is for every reason that has none of its own."""
        codes: dict[tuple[str, Optional[str]], Code] = {}
        for group in self.read_by.codes:
            code = self._code(self.read_by.split(group.codes[0]), group.reason)
            codes.setdefault((group.stage, group.reason), code)
        return codes

    @cached_property
    def information(self) -> list[Code]:
        """The codes that tell nothing of the journey."""
        return [self._code(self.read_by.split(code), None) for code in self.read_by.ignored]

    def code_of(self, stage: str, reason: Optional[str]) -> Code:
        """Give the code of a stage and a reason, or of the stage alone where the carrier knows no reasons."""
        return self.codes.get((stage, reason)) or self.codes[stage, None]

    def moment(self, ts: Micros, hub: str) -> Moment:
        """Give a time as the file tells it: at its resolution, and at the zone of the hub."""
        written, zone = self.zones.get(hub[:3]) or self.zones[""]
        ts -= ts % self.tick
        offset, too_late = _clock(zone, ts // HOUR)
        return Moment(ts - too_late, ts + offset, written)

    def line(self, local: Micros, zone: str, waybill: str, code: str, hub: str) -> str:
        """Write a line."""
        day, rest = divmod(local, DAY)
        date, time = _date(day, self.date), _time(rest // SECOND, self.time)
        return self.row.format(waybill=waybill, date=date, time=time, code=code, hub=hub, zone=zone)

    def content(self, lines: list[str]) -> bytes:
        """Give the bytes of a file, not packed yet."""
        trailer = [self.read_by.trailer.format(count=len(lines))] if self.read_by.trailer else []
        text = "\n".join([self.header, *lines, *trailer, ""])
        return text.encode(self.read_by.encoding)

    def _code(self, place: Place, reason: Optional[str]) -> Code:
        filled = [_FILL if part == ANY else part for part in place]
        padded = [
            part.zfill(_PADDED) if name in self.read_by.unpadded else part
            for name, part in zip(self.read_by.columns.code, filled, strict=True)
        ]
        return Code("/".join(filled), self.between.join(padded), reason)


@lru_cache(maxsize=65536)
def _clock(zone: str, hour: int) -> tuple[int, int]:
    """Give a zone's offset at an hour since 1970, and by how much its local times tell an earlier moment then."""
    offset, before = _offset(zone, hour), _offset(zone, hour - 1)
    # In the hour that clocks strike twice, readers take the first.
    return offset, max(0, before - offset)


def _offset(zone: str, hour: int) -> int:
    offset = to_datetime(hour * HOUR).astimezone(zoneinfo.ZoneInfo(zone)).utcoffset()
    return int((offset or datetime.timedelta()).total_seconds()) * SECOND


@lru_cache(maxsize=4096)
def _date(day: int, written: str) -> str:
    return to_datetime(day * DAY).strftime(written)


@cache
def _time(second: int, written: str) -> str:
    return to_datetime(second * SECOND).strftime(written)


_VAN = frozenset({"out_for_delivery", "attempt_failed", "delivered", "failed", "return_started"})

DIALECTS: dict[str, Dialect] = {
    "northline": Dialect(
        PROFILES / "northline.toml",
        "trackingNumber,localActivityDate,localActivityTime,gmtOffset,activityStatus.type,activityStatus.code,"
        "activityStatus.descriptionCode,activityLocation.city,activityLocation.country",
        "{waybill},{date},{time},{zone},{code},{hub},",
        "%Y%m%d",
        "%H%M%S",
        zones={
            "": ("+01:00", "Etc/GMT-1"), "EST": ("+02:00", "Etc/GMT-2"), "SEA": ("+02:00", "Etc/GMT-2"),
            "WST": ("Z", "UTC"), "NWE": ("+00:00", "UTC"),
        },
        hubless=_VAN,
    ),
    "parcelway": Dialect(
        BUILT_IN / "generic.toml",
        "carrier,tracking_number,scan_ts,code,hub",
        "parcelway,{waybill},{date}T{time}Z,{code},{hub}",
        "%Y-%m-%d",
        "%H:%M:%S",
    ),
    "thrift_post": Dialect(
        PROFILES / "thrift_post.toml",
        '"Datum";"Uhrzeit";"Sendungsnummer";"Ereignis";"Niederlassung";"Empfänger"',
        '"{date}";"{time}";"{waybill}";"{code}";"{hub}";"geschützt"',
        "%d.%m.%Y",
        "%H:%M:%S",
        zones={"": ("", "Europe/Berlin")},
    ),
    "shree_anjani": Dialect(
        BUILT_IN / "shree_anjani.toml",
        "docket_no,scan_date,scan_time,status,branch,remarks",
        "{waybill},{date},{time},{code},{hub},road – surface",
        "%d/%m/%Y",
        "%H:%M",
        zones={"": ("", "Asia/Kolkata")},
        tick=MINUTE,
    ),
    "crestfreight": Dialect(
        PROFILES / "crestfreight.toml",
        "trackingNumber,eventCode,eventTimestamp,eventFacility",
        "{waybill},{code},{date}T{time},{hub}",
        "%Y-%m-%d",
        "%H:%M:%S",
        zones={
            "": ("", "Europe/Berlin"), "EST": ("", "Europe/Athens"), "SEA": ("", "Europe/Athens"),
            "NTH": ("", "Europe/London"), "NEA": ("", "Europe/London"), "NWE": ("", "Europe/London"),
        },
        packing=".gz",
    ),
    "quickhop": Dialect(
        PROFILES / "quickhop.toml",
        "WaybillNo,ScanGroupType,ScanCode,ScanDate,ScanTime,StatusTimeZone,ScannedLocationCode",
        "{waybill},{code},{date},{time},{zone},{hub}",
        "%d-%m-%Y",
        "%H%M%S",
        zones={
            "": ("UTC", "UTC"), "EST": ("MSK", "Europe/Moscow"), "NEA": ("MSK", "Europe/Moscow"),
            "SEA": ("GST", "Asia/Dubai"),
        },
        packing=".zip",
    ),
}  # fmt: skip
"""By the carrier's name."""
