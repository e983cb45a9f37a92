"""Overstays: a table of situations, any stays and silences on a grid of minutes, and how one is told from a silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import SILENT, cleared, is_overstay, overstayed, raised, retracted
from schemas.fields import HOUR, MINUTE, to_text
from schemas.policy import Policy
from schemas.tables import ALERTS, EVENTS
from tests.builders import MONDAY, at, event
from tests.transforms.publish.rows import add, held, table_of
from transforms.hubs.overstay import Stay, overstays
from transforms.publish.lake import Lake
from transforms.publish.rejudge import rejudge

LONGEST = 12 * HOUR


def silence(due: int, until: int | None = None) -> tuple:
    """Give the life of an ordinary silence."""
    one = raised("o1", "t1", SILENT, due, "silent")
    return (one,) if until is None else (one, cleared(one, until, "seen again"))


def clock(text: str | None) -> int | None:
    """Give a time of day as microseconds."""
    return None if text is None else at(text)


@pytest.mark.parametrize(
    ("stay", "closed", "silences", "expected"),
    [
        pytest.param(("00:00", "11:59"), None, [], None, id="it left in time"),
        pytest.param(("00:00", "12:00"), None, [], None, id="it left at the last moment"),
        pytest.param(("00:00", "12:01"), None, [], ("12:00", "12:01", "left the hub"), id="it left a minute late"),
        pytest.param(("00:00", None), None, [], ("12:00", None, None), id="it is there still"),
        pytest.param(("00:00", None), "12:00", [], None, id="it was closed by then"),
        pytest.param(("00:00", None), "18:00", [], ("12:00", "18:00", "closed"), id="it was closed while there"),
        pytest.param(("00:00", "20:00"), "18:00", [], ("12:00", "18:00", "closed"), id="closed before it left"),
        pytest.param(("00:00", "18:00"), "20:00", [], ("12:00", "18:00", "left the hub"), id="left, then closed"),
        pytest.param(("00:00", None), None, [("13:00", None)], None, id="its silence is told already"),
        pytest.param(("00:00", "18:00"), None, [("18:00", None)], ("12:00", "18:00", "left the hub"), id="silent later"),
        pytest.param(("00:00", "18:00"), None, [("06:00", "12:00")], ("12:00", "18:00", "left the hub"), id="not silent any more"),
        pytest.param(("00:00", "18:00"), None, [("06:00", "12:01")], None, id="silent for one minute of it"),
        pytest.param(("00:00", "18:00"), None, [("01:00", "02:00"), ("17:59", None)], None, id="the second silence"),
    ],
)  # fmt: skip
def test_stays(stay, closed, silences, expected):
    told = [silence(at(since), clock(until)) for since, until in silences]
    lives = overstays("o1", "t1", [Stay("AMD", at(stay[0]), clock(stay[1]))], clock(closed), told, LONGEST)
    if expected is None:
        assert lives == []
        return
    due, ended, by = expected
    first = overstayed("o1", "t1", at(due), f"at hub AMD since {to_text(at(stay[0]))}")
    assert lives == [(first,) if ended is None else (first, cleared(first, at(ended), by))]
    assert (first.kind, first.due_ts) == (SILENT, at(due))


FOREVER = 99
"""The minute after the grid: what is open goes on to it."""
MINUTES = st.integers(0, 60)
SPANS = st.tuples(MINUTES, st.none() | MINUTES).filter(lambda span: span[1] is None or span[0] < span[1])


def minute(number: int | None) -> int | None:
    """Give a minute of the grid as microseconds."""
    return None if number is None else MONDAY + number * MINUTE


@given(st.lists(SPANS, max_size=4), st.none() | MINUTES, st.lists(SPANS, max_size=3), st.integers(1, 30))
def test_any_stays_give_the_minutes_that_are_too_long_and_not_told_of(stays, closed, silences, longest):
    def of(since: int, until: int | None) -> set[int]:
        return set(range(since, FOREVER if until is None else until))

    silent = set().union(*(of(*one) for one in silences))
    awaited = of(0, closed)
    expected = []
    for since, until in stays:
        too_long = {m for m in of(since, until) & awaited if m >= since + longest}
        if too_long and not too_long & silent:
            over = max(too_long) + 1
            expected.append((min(too_long), None if over == FOREVER else over))
    lives = overstays(
        "o1",
        "t1",
        [Stay("AMD", MONDAY + since * MINUTE, minute(until)) for since, until in stays],
        minute(closed),
        [silence(MONDAY + since * MINUTE, minute(until)) for since, until in silences],
        longest * MINUTE,
    )
    assert [(life[0].due_ts, life[1].state_ts if len(life) > 1 else None) for life in lives] == [
        (minute(due), minute(ended)) for due, ended in expected
    ]
    assert all(is_overstay(row) for life in lives for row in life)


@pytest.mark.parametrize("step", ["raised", "cleared", "retracted"])
def test_an_overstay_is_known_in_every_state_and_occurrence(step):
    one = overstayed("o1", "t1", at("12:00"), "at hub AMD")
    one = {"raised": one, "cleared": cleared(one, at("13:00"), "left"), "retracted": retracted(one, at("13:00"))}[step]
    assert is_overstay(one)
    one.alert_id += ".3"
    assert is_overstay(one)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(raised("o1", "t1", SILENT, at("12:00"), "silent"), id="a silence of the same moment"),
        pytest.param(raised("o1", "t1", "exception", at("12:00"), "", "hub"), id="an exception for the reason hub"),
    ],
)
def test_another_alert_is_no_overstay(other):
    assert not is_overstay(other)


def test_a_live_run_takes_no_overstay_back(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    stayed = overstayed("o1", "t1", at("12:00"), "at hub AMD")
    untrue = raised("o1", "t1", SILENT, at("23:00"), "silent")
    add(lake, ALERTS, [stayed, untrue])
    # Nothing that came live shows either of the two.
    add(lake, EVENTS, [event("hub_in", "00:00", value=900.0), event("delivered", "10:00")])
    parcels = table_of(EVENTS, [event("hub_in", "00:00")]).select(["order_id", "tracking_number"])
    news = rejudge(lake, lake.delta(ALERTS).version(), parcels, Policy())
    assert [(row["alert_id"], row["state"]) for row in news.to_pylist()] == [(untrue.alert_id, "retracted")]
    assert len(held(lake, ALERTS)) == 2
