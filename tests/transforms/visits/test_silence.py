"""Silence of a valuable parcel: raised when its gap has passed, cleared when it is heard of again."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.fields import HOUR, MINUTE
from schemas.policy import Memory, Policy
from schemas.settings import Duration
from schemas.stages import CLOSING_STAGES
from tests.builders import MONDAY, at, current, visit
from transforms.follow.journey import Scan
from transforms.visits.bursts import VALUABLE, bursts, closing_notice
from transforms.visits.silence import SilenceWatcher, silences

GAP = 12 * HOUR


class Watcher(SilenceWatcher):
    """A watcher to which every parcel is valuable."""

    def take(self, pieces):
        return super().take([replace(piece, visit_id=VALUABLE) for piece in pieces])


HORIZON = at("9d 00:00")


@pytest.mark.parametrize(
    ("visits", "closed", "horizon", "lives"),
    [
        pytest.param(["09:00"], None, "21:00", [("21:00", "raised", "21:00")], id="silent since"),
        pytest.param(["09:00"], None, "20:59", [], id="not long enough to know"),
        pytest.param(["09:00", "1d 09:00"], None, "1d 10:00", [("21:00", "cleared", "1d 09:00")], id="heard of again"),
        pytest.param(["09:00", "21:00"], None, "1d 00:00", [], id="heard of at the very moment"),
        pytest.param(["09:00"], "09:00", "9d 00:00", [], id="its last scan closed it"),
        pytest.param(["09:00"], "08:00", "9d 00:00", [], id="closed before"),
        pytest.param(["09:00"], "20:00", "9d 00:00", [], id="cancelled within the gap"),
        pytest.param(["09:00"], "21:00", "9d 00:00", [], id="cancelled at the due time"),
        pytest.param(["09:00"], "22:00", "9d 00:00", [("21:00", "cleared", "22:00")], id="cancelled after it"),
        pytest.param(["09:00", "1d 09:00"], "22:00", "9d 00:00", [("21:00", "cleared", "22:00")], id="cancelled, then still seen"),
        pytest.param(["09:00", "1d 09:00"], "1d 09:00", "9d 00:00", [("21:00", "cleared", "1d 09:00")], id="the next scan is the delivery"),
        pytest.param(
            ["09:00", "1d 09:00", "3d 09:00"], None, "9d 00:00",
            [("21:00", "cleared", "1d 09:00"), ("1d 21:00", "cleared", "3d 09:00"), ("3d 21:00", "raised", "3d 21:00")],
            id="silent again and again",
        ),
        pytest.param([], None, "9d 00:00", [], id="never scanned"),
    ],
)  # fmt: skip
def test_silences(visits, closed, horizon, lives):
    found = silences([visit(start) for start in visits], closed and at(closed), GAP, at(horizon))
    assert [(life[-1].due_ts, life[-1].state, life[-1].state_ts) for life in found] == [
        (at(due), state, at(when)) for due, state, when in lives
    ]


def expected(scans, closing):
    """Give the alerts by the rule's own words: after each scan, was anything heard within the gap?"""
    closed = min([s.ts for s in scans if s.stage in CLOSING_STAGES] + closing, default=None)
    times = sorted(s.ts for s in scans)
    known = set()
    for ts, following in zip(times, [*times[1:], None], strict=True):
        due, heard = ts + GAP, [t for t in (following, closed) if t is not None]
        ended = min(heard, default=None)
        if due <= HORIZON and (closed is None or closed > ts) and (ended is None or ended > due):
            state = ("raised", due) if ended is None else ("cleared", ended)
            known.add(("o1", "t1", "silent_high_value", due, *state))
    return known


times = st.integers(0, 6 * 24).map(lambda n: MONDAY + n * HOUR)
scans = st.lists(
    st.builds(Scan, times, st.sampled_from(["hub_in", "hub_out", "in_transit", "delivered"]), st.none()),
    min_size=1, max_size=8,
)  # fmt: skip


@given(scans, st.lists(times, max_size=1), st.data())
@settings(max_examples=100)
def test_the_watcher_tells_the_same_in_the_end_however_pieces_come_in(told, cancelled, data):
    """Pieces in any order; visits close as far as they are known then, and again when they have grown."""
    watcher, rows, seen, pieces = Watcher(Policy()), [], [], data.draw(st.permutations(told))
    rows += watcher.take([closing_notice("o1", "t1", ts) for ts in cancelled])
    while pieces:
        size = data.draw(st.integers(1, 4))
        seen += pieces[:size]
        rows += watcher.take(bursts("o1", "t1", pieces[:size], GAP))
        pieces = pieces[size:]
        if data.draw(st.booleans()):
            rows += watcher.take([replace(v, closed=True) for v in bursts("o1", "t1", seen, GAP)])
        if data.draw(st.booleans()):
            other = Watcher(watcher.policy)
            other.load(watcher.dump())
            watcher = other
    rows += watcher.take([replace(v, closed=True) for v in bursts("o1", "t1", told, GAP)])
    assert current(rows, HORIZON) == expected(told, cancelled)


@given(scans, st.data())
@settings(max_examples=150)
def test_what_a_lost_life_told_is_taken_back_where_it_is_not_true(told, data):
    """A life is cut off after its checkpoint; the next one gets the same scans in other pieces, and other closes."""
    kept = data.draw(st.integers(0, len(told)))
    watcher = Watcher(Policy())
    rows = watcher.take(bursts("o1", "t1", told[:kept], GAP))
    dumped = watcher.dump()
    for count in range(kept, data.draw(st.integers(kept, len(told)))):
        rows += watcher.take(bursts("o1", "t1", told[count : count + 1], GAP))
        rows += watcher.take([replace(v, closed=True) for v in bursts("o1", "t1", told[: count + 1], GAP)])
    if data.draw(st.booleans()):
        rows += watcher.take([replace(v, closed=True) for v in bursts("o1", "t1", told[:kept], GAP)])
    watcher = Watcher(Policy())
    watcher.load(dumped)
    watcher.doubt(HORIZON)
    left = told[kept:]
    while left:
        size = data.draw(st.integers(1, len(left)))
        rows += watcher.take([piece for one in left[:size] for piece in bursts("o1", "t1", [one], GAP)])
        left = left[size:]
    rows += watcher.take([replace(v, closed=True) for v in bursts("o1", "t1", told, GAP)])
    assert current(rows, HORIZON) == expected(told, [])


def test_what_an_older_version_remembered_is_understood():
    watcher = Watcher(Policy())
    watcher.take([visit("09:00")])
    other = Watcher(Policy())
    other.load(msgspec.msgpack.encode(watcher.memory))
    assert other.memory == watcher.memory and other.doubted == 0


def test_the_close_of_a_session_is_the_clock():
    watcher = Watcher(Policy())
    assert watcher.take([visit("09:00")]) == []
    assert [row.state for row in watcher.take([visit("09:00", closed=True)])] == ["raised"]
    assert watcher.take([visit("09:00", closed=True)]) == []
    assert [(row.state, row.state_ts) for row in watcher.take([visit("1d 09:00")])] == [("cleared", at("1d 09:00"))]


def test_a_late_scan_that_bridges_the_silence_retracts():
    watcher = Watcher(Policy())
    watcher.take([visit("09:00", closed=True)])
    assert [row.state for row in watcher.take([visit("20:00")])] == ["retracted"]


def test_parcels_do_not_hear_of_one_another():
    watcher = Watcher(Policy())
    watcher.take([visit("09:00"), visit("09:00", waybill="t2")])
    assert [row.tracking_number for row in watcher.take([visit("09:00", waybill="t2", closed=True)])] == ["t2"]


@pytest.mark.parametrize(("ended", "days"), [(None, 20), ("09:00", 10)])
def test_a_parcel_is_forgotten_after_its_time(ended, days):
    watcher = Watcher(Policy(memory=Memory(closed=Duration.of("10 d"), silent=Duration.of("20 d"))))
    watcher.take([visit("09:00", ended=ended)])
    assert watcher.next_wake() == at("09:00", days)
    watcher.settle(at("09:00", days) - MINUTE)
    assert watcher.memory
    watcher.settle(at("09:00", days))
    assert not watcher.memory
    assert watcher.next_wake() is None


def test_news_of_a_parcel_keeps_it_in_mind():
    watcher = Watcher(Policy(memory=Memory(silent=Duration.of("20 d"))))
    watcher.take([visit("09:00")])
    watcher.take([visit("9d 09:00")])
    watcher.settle(at("20d 09:00"))
    assert watcher.memory


def test_a_parcel_that_is_heard_of_ten_thousand_times_is_one_to_look_at():
    watcher = Watcher(Policy())
    for count in range(10_000):
        watcher.take([visit("09:00", end_ts=at("09:00") + count)])
    assert len(watcher.memory) == 1 and len(watcher._agenda) <= 1_000


def test_a_parcel_of_little_value_is_not_watched():
    watcher = SilenceWatcher(Policy())
    assert watcher.take([visit("09:00", closed=True)]) == []
