"""Watermarks: what a reader knows of time."""

import time

import pytest

from pipelines.sources import watermarks
from pipelines.sources.watermarks import Watermarks, newest_in
from schemas.clock import Clock
from schemas.fields import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.sources.events import line

NOW = parse_time("2026-03-01T12:00:00Z")
BOUND = 5 * MINUTE
STOPPED = Clock(until=NOW)


def said(*texts):
    return b"\n".join(b'{"event_ts":"%s"}' % text.encode() for text in texts)


@pytest.mark.parametrize(
    ("texts", "newest"),
    [
        ((), None),
        (("2026-03-01T10:00:00Z",), "2026-03-01T10:00:00Z"),
        (("2026-03-01T10:00:00Z", "2026-03-01T11:00:00.25Z", "2026-03-01T09:00:00Z"), "2026-03-01T11:00:00.25Z"),
        # Zones.
        (("2026-03-01T11:30:00+02:00", "2026-03-01T09:40:00Z"), "2026-03-01T09:40:00Z"),
        (("2026-03-01T08:30:00-03:00", "2026-03-01T09:40:00Z"), "2026-03-01T11:30:00Z"),
        # A clock that is a little fast counts as now; one that is absurd does not count.
        (("2026-03-01T12:03:00Z",), "2026-03-01T12:00:00Z"),
        (("2026-03-01T12:03:00+00:00",), "2026-03-01T12:00:00Z"),
        (("2026-03-02T12:00:00Z", "2026-03-01T10:00:00Z"), "2026-03-01T10:00:00Z"),
        (("9999-12-31T23:59:59Z", "2026-03-01T10:00:00Z"), "2026-03-01T10:00:00Z"),
        (("9999-12-31T23:59:59+01:00", "2026-03-01T10:00:00Z"), "2026-03-01T10:00:00Z"),
        (("9999-12-31T23:59:59Z",), None),
        # What is no time at all.
        (("2026-03-01T11:99:00Z", "2026-03-01T10:00:00Z"), "2026-03-01T10:00:00Z"),
        (("2026-02-31T10:00:00Z",), None),
        (("yesterday, about noon", "2026-03-01T10:00:00Z"), "2026-03-01T10:00:00Z"),
        (("2026-03-01T10:00:00",), None),
        (("2026-03-01T10:00:00.000000",), None),
    ],
)
def test_the_newest_time(texts, newest):
    assert newest_in(said(*texts), NOW, BOUND) == (newest and parse_time(newest))


def test_the_newest_time_of_anything_is_no_fault():
    assert (
        newest_in(
            b'\xff\x00 {"event_ts": 7} {"event_ts":"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffZ"}',
            NOW,
            BOUND,
        )
        is None
    )
    assert newest_in(b'{"event_ts" :\n "2026-03-01T10:00:00Z"}', NOW, BOUND) == NOW - 2 * HOUR


def marks(**more):
    return Watermarks(more.pop("clock", STOPPED), BOUND, more.pop("newest", {}), more.pop("low", None), {})


def test_it_is_the_newest_less_the_bound_and_never_goes_back():
    one = marks()
    assert one.current() is None
    one.see(0, line(0, NOW - HOUR))
    assert one.current() == NOW - HOUR - BOUND
    one.see(0, line(1, NOW - DAY))
    assert one.current() == NOW - HOUR - BOUND
    one.see(0, b"no event")
    assert one.current() == NOW - HOUR - BOUND


def test_it_is_the_least_of_the_partitions():
    one = marks()
    one.add(1)
    one.see(0, line(0, NOW - HOUR))
    assert one.current() is None
    one.see(1, line(0, NOW - 3 * HOUR))
    assert one.current() == NOW - 3 * HOUR - BOUND
    one.see(1, line(0, NOW - 2 * HOUR))
    assert one.current() == NOW - 2 * HOUR - BOUND
    # A partition that is new holds it, but does not move it back.
    one.add(2)
    one.see(1, line(0, NOW - HOUR))
    assert one.current() == NOW - 2 * HOUR - BOUND


def test_an_idle_partition_follows_the_clock():
    real = time.time_ns() // 1000
    one = marks(clock=Clock(real=real, simulated=NOW - HOUR, speed=1.0))
    one.see(0, line(0, NOW - 3 * HOUR))
    assert one.quiet() == []
    one.heard[0] -= watermarks.QUIET + 1
    assert one.quiet() == [0]
    one.idle(0)
    assert 0 <= one.current() - (NOW - HOUR - BOUND) < 10 * SECOND
    # A lagging event afterwards does not move it back.
    before = one.current()
    one.see(0, line(0, NOW - 2 * HOUR))
    assert one.current() == before and one.quiet() == []


def test_it_goes_on_where_it_was():
    one = marks(newest={0: NOW - HOUR}, low=NOW - BOUND)
    assert one.current() == NOW - BOUND
