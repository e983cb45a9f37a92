"""Scans become the same visits however they are cut into pieces."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import HOUR, MINUTE
from tests.builders import MONDAY, at, visit
from transforms.follow.journey import Scan
from transforms.visits.bursts import bursts, closing_notice, join, merge, visit_id

GAP = 12 * HOUR

scans = st.lists(
    st.builds(
        Scan,
        st.integers(0, 4 * 24 * 4).map(lambda n: MONDAY + n * 15 * MINUTE),
        st.sampled_from(["hub_in", "hub_out", "delivered", "lost"]),
        st.sampled_from([None, "h1", "h2", "h3"]),
    ),
    min_size=1,
    max_size=14,
)


def spans(found):
    """Give start, end and count of each visit."""
    return [(v.start_ts, v.end_ts, v.events) for v in found]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param(["09:00"], [("09:00", "09:00", 1)], id="one scan"),
        pytest.param(["09:00", "20:59"], [("09:00", "20:59", 2)], id="less than the gap apart"),
        pytest.param(["09:00", "20:59:59.999999"], [("09:00", "20:59:59.999999", 2)], id="a microsecond less"),
        pytest.param(["09:00", "21:00"], [("09:00", "09:00", 1), ("21:00", "21:00", 1)], id="exactly the gap apart"),
        pytest.param(["09:00", "09:00"], [("09:00", "09:00", 2)], id="two at once"),
        pytest.param(
            ["1d 06:00", "09:00", "19:00"], [("09:00", "1d 06:00", 3)], id="out of order, one bridges the others"
        ),
    ],
)
def test_where_a_visit_ends(times, expected):
    found = bursts("o1", "t1", [Scan(at(when), "hub_in", None) for when in times], GAP)
    assert spans(found) == [(at(start), at(end), count) for start, end, count in expected]


def test_a_visit_names_its_hubs_once_and_when_the_parcel_ended():
    told = [
        ("hub_in", "h2"),
        ("hub_out", "h2"),
        ("hub_in", "h1"),
        ("in_transit", None),
        ("delivered", None),
        ("returned", "h2"),
    ]
    (whole,) = bursts("o1", "t1", [Scan(at("09:00") + n * HOUR, s, h) for n, (s, h) in enumerate(told)], GAP)
    assert (whole.hubs, whole.ended_ts, whole.events, whole.closed) == (["h1", "h2"], at("13:00"), 6, False)


def test_the_first_ending_inside_a_visit_counts_and_other_visits_have_their_own():
    told = [Scan(at("09:00"), "failed", None), Scan(at("08:00"), "lost", None), Scan(at("1d 09:00"), "delivered", None)]
    assert [v.ended_ts for v in bursts("o1", "t1", told, GAP)] == [at("08:00"), at("1d 09:00")]


@given(scans, st.data())
@settings(max_examples=100)
def test_any_cutting_in_any_order_gives_the_visits_of_the_whole(told, data):
    shuffled = data.draw(st.permutations(told))
    pieces = []
    while shuffled:
        size = data.draw(st.integers(1, 5))
        pieces += bursts("o1", "t1", shuffled[:size], GAP)
        shuffled = shuffled[size:]
    assert join(data.draw(st.permutations(pieces)), GAP) == bursts("o1", "t1", told, GAP)


@given(scans)
@settings(max_examples=100)
def test_visits_partition_the_scans_and_lie_a_gap_apart(told):
    found = bursts("o1", "t1", told, GAP)
    assert sum(v.events for v in found) == len(told)
    assert all(later.start_ts - earlier.end_ts >= GAP for earlier, later in pairwise(found))
    for one in found:
        times = sorted(s.ts for s in told if one.start_ts <= s.ts <= one.end_ts)
        assert all(b - a < GAP for a, b in pairwise(times))


@given(scans, scans)
@settings(max_examples=50)
def test_merging_is_symmetric(one, other):
    left, right = bursts("o1", "t1", one, GAP)[0], bursts("o1", "t1", other, GAP)[0]
    assert merge(left, right) == merge(right, left)


def test_joining_changes_no_piece():
    pieces = [visit("09:00", hubs=["h1"]), visit("10:00", hubs=["h2"])]
    join(pieces, GAP)
    assert pieces == [visit("09:00", hubs=["h1"]), visit("10:00", hubs=["h2"])]


def test_a_closing_notice_says_when_and_counts_no_scan():
    assert closing_notice("o1", "t1", at("09:00")) == visit("09:00", events=0, ended="09:00")


def test_a_visit_is_named_by_its_parcel_and_first_scan():
    name = visit_id(visit("09:00", "10:00"))
    assert name == visit_id(visit("09:00", "15:00", events=9, hubs=["h1"]))
    others = (visit("09:01"), visit("09:00", order="o2"), visit("09:00", waybill="t2"))
    assert len({name, *map(visit_id, others)}) == 4
