"""What is told of an alert, given what was told before."""

import pytest
from msgspec.structs import replace

from schemas.alerts import RAISED, RETRACTED, cleared, raised, retracted
from tests.builders import at
from transforms.watch.telling import tell

UP = raised("o1", "t1", "pick_pack_delay", at("09:30"), "picked")
OVER = cleared(UP, at("10:00"), "packed")
SOONER = cleared(UP, at("09:45"), "packed")
OTHER = raised("o1", "t1", "exception", at("11:00"), "exception")
NOW = at("12:00")


@pytest.mark.parametrize(
    ("before", "true", "news"),
    [
        pytest.param([], [], [], id="nothing to tell"),
        pytest.param([], [(UP,)], [UP], id="raised"),
        pytest.param([], [(UP, OVER)], [UP, OVER], id="raised and cleared in one step"),
        pytest.param([UP], [(UP,)], [], id="told before"),
        pytest.param([UP], [(UP, OVER)], [OVER], id="cleared"),
        pytest.param([OVER], [(UP, OVER)], [], id="cleared before"),
        pytest.param([OVER], [(UP, SOONER)], [SOONER], id="cleared sooner than thought"),
        pytest.param([UP], [], [retracted(UP, NOW)], id="never true"),
        pytest.param([OVER], [], [retracted(OVER, NOW)], id="cleared, and never true"),
        pytest.param([UP], [(OTHER,)], [OTHER, retracted(UP, NOW)], id="one for the other"),
    ],
)
def test_news(before, true, news):
    told = {row.alert_id: row for row in before}
    assert tell(told, true, NOW) == news
    standing = {identity: row for identity, row in told.items() if row.state != RETRACTED}
    assert standing == {life[-1].alert_id: life[-1] for life in true}
    assert tell(told, true, NOW) == [], "the same truth told again is no news"


def test_what_was_taken_back_and_proves_true_is_told_as_another_occurrence():
    told = {UP.alert_id: UP}
    taken_back = tell(told, [], NOW)
    again = tell(told, [(UP, OVER)], NOW)
    assert [row.state for row in taken_back + again] == ["retracted", "raised", "cleared"]
    assert [row.alert_id for row in again] == [f"{UP.alert_id}.1"] * 2
    assert tell(told, [(UP, OVER)], NOW) == []
    assert [row.alert_id for row in tell(told, [], NOW)] == [f"{UP.alert_id}.1"]
    assert {row.alert_id for row in tell(told, [(UP,)], NOW)} == {f"{UP.alert_id}.2"}


def test_nothing_is_retracted_before_it_was_due():
    (row,) = tell({UP.alert_id: UP}, [], at("01:00"))
    assert row.state_ts == UP.due_ts


def test_every_row_of_a_life_names_the_same_alert():
    assert {row.alert_id for row in (UP, OVER, SOONER, retracted(UP, NOW))} == {UP.alert_id}
    assert UP.state == RAISED
    assert UP.alert_id != OTHER.alert_id


@pytest.mark.parametrize(
    "other",
    [
        raised("o2", "t1", "pick_pack_delay", at("09:30"), ""),
        raised("o1", "t2", "pick_pack_delay", at("09:30"), ""),
        raised("o1", "t1", "label_scan_delay", at("09:30"), ""),
        raised("o1", "t1", "pick_pack_delay", at("09:31"), ""),
        raised("o1", "t1", "pick_pack_delay", at("09:30"), "", "reason"),
    ],
)
def test_identity_follows_from_parcel_kind_due_time_and_reason(other):
    assert other.alert_id != UP.alert_id
    assert raised("o1", "t1", "pick_pack_delay", at("09:30"), "other evidence").alert_id == UP.alert_id


LATER = cleared(UP, at("10:30"), "packed")


@pytest.mark.parametrize("true", [(UP,), (UP, LATER)], ids=["stands again", "was cleared later"])
def test_what_cleared_it_is_taken_back_so_it_is_retracted_and_told_as_another_occurrence(true):
    told = {UP.alert_id: OVER}
    again = tuple(replace(row, alert_id=f"{UP.alert_id}.1") for row in true)
    assert tell(told, [true], NOW) == [retracted(OVER, NOW), *again]
    assert tell(told, [true], NOW) == []
    assert told == {UP.alert_id: again[-1]}
