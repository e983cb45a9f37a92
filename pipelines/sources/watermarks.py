"""Watermarks: up to which event time a reader has, as far as it can know, seen everything."""

import datetime
import re
import time

import msgspec

from schemas.clock import Clock
from schemas.fields import Micros, to_micros, to_text

_EVENT_TS = re.compile(rb'"event_ts"\s*:\s*("[^"\\]{20,40}")')
_MOMENT = msgspec.json.Decoder(datetime.datetime)
_SECONDS = len("2026-01-01T00:00:00")

QUIET = 5.0
"""Seconds of real time without an event after which a partition that is read to its end is idle."""


class Watermarks:
    """The watermark of one reader: the least of its partitions' newest event times, less the bound; never going back.

    Attributes:
        newest: the newest event time of each partition.
        low: the watermark so far; None before anything is known.
    """

    def __init__(
        self,
        clock: Clock,
        bound: Micros,
        newest: dict[int, Micros],
        low: Micros | None,
        heard: dict[int, float],
    ) -> None:
        """Take the clock, how far out of order events come, and what was known when the reader last stopped.

        `heard` has the monotonic time at which each partition was last heard of; it is kept up.
        """
        self.clock = clock
        self.bound = bound
        self.newest = newest
        self.low = low
        self.partitions: set[int] = set(newest)
        self.heard = heard

    def add(self, partition: int) -> None:
        """Take a partition of which nothing is known yet: it holds the watermark until it is heard of."""
        self.partitions.add(partition)
        self.heard.setdefault(partition, time.monotonic())

    def forget(self, partition: int) -> None:
        """Take that there is nothing more to come of a partition."""
        self.partitions.discard(partition)
        self.newest.pop(partition, None)
        self.heard.pop(partition, None)

    def see(self, partition: int, lines: bytes) -> None:
        """Take lines that came from a partition."""
        self.add(partition)
        self.heard[partition] = time.monotonic()
        newest = newest_in(lines, self.clock.now(), self.bound)
        if newest is not None:
            self.newest[partition] = max(newest, self.newest.get(partition, newest))

    def quiet(self) -> list[int]:
        """Give the partitions that have not been heard for so long that they may be idle."""
        since = time.monotonic() - QUIET
        # One that this reader has not watched yet is watched from now on.
        return [one for one in self.partitions if self.heard.setdefault(one, time.monotonic()) <= since]

    def idle(self, partition: int) -> None:
        """Take that a quiet partition is read to its end: there, nothing older than now is left."""
        self.newest[partition] = max(self.clock.now(), self.newest.get(partition, 0))

    def current(self) -> Micros | None:
        """Give the watermark; None while nothing is known."""
        if self.partitions and len(self.newest) >= len(self.partitions):
            # In whole milliseconds, as engines keep time: an element at the watermark is never before it.
            low = (min(self.newest.values()) - self.bound) // 1000 * 1000
            self.low = max(low, self.low or low)
        return self.low


def newest_in(lines: bytes, now: Micros, bound: Micros) -> Micros | None:
    """Give the newest event time in some lines, no later than now; None where there is none.

    A time further ahead than events are ever behind is a sender's fault and does not count: it would make all others
    late.
    """
    latest = to_text(now + bound).encode()
    # Among times in UTC the greatest text is the greatest time, but for a part of a second: only that one is parsed.
    utc: list[bytes] = []
    others: list[bytes] = []
    for quoted in _EVENT_TS.findall(lines):
        (utc if quoted.endswith(b'Z"') and quoted[11:12] == b"T" else others).append(quoted)
    limit = b'"' + latest[:_SECONDS]
    known = [quoted for quoted in utc if quoted[: _SECONDS + 1] <= limit]
    times: list[Micros] = []
    while known:
        # The greatest text need not be a time at all.
        greatest = max(known)
        if (moment := _parse(greatest)) is not None:
            times.append(moment)
            break
        known = [quoted for quoted in known if quoted < greatest]
    times += [moment for moment in map(_parse, others) if moment is not None and moment <= now + bound]
    return min(max(times), now) if times else None


def _parse(quoted: bytes) -> Micros | None:
    try:
        moment = _MOMENT.decode(quoted)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return to_micros(moment) if moment.tzinfo else None
