"""A journey is a function of the set of its events: these tables say which, the properties say of the set only."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import HOUR
from schemas.stages import CLOSING_STAGES, RANK, STAGES
from tests.builders import at, event, journey
from transforms.follow.journey import Journey, current_stage, delivered_at, fold, sla_status

AT_RISK = 4 * HOUR


def plain(whole: Journey) -> dict:
    """Give a journey with its lists in a fixed order."""
    said = msgspec.structs.asdict(whole)
    return said | {
        "troubles": sorted(said["troubles"]),
        "scans": sorted((s.ts, s.stage, s.hub or "") for s in said["scans"]),
    }


events = st.builds(
    event,
    stage=st.sampled_from(sorted(STAGES)),
    when=st.integers(0, 60).map(lambda n: at("00:00") + n * HOUR),
    carrier=st.sampled_from([None, "A", "B"]),
    warehouse=st.sampled_from([None, "w1", "w2"]),
    promise=st.sampled_from([None, "2d 18:00", "3d 18:00"]),
    value=st.sampled_from([None, 10.0, 900.0]),
    reason=st.sampled_from([None, "carrier_damaged"]),
    hub=st.sampled_from([None, "h1"]),
)
histories = st.lists(events, min_size=1, max_size=10)


@given(histories, st.data())
@settings(max_examples=100)
def test_any_order_and_any_repetition_give_the_same_journey(history, data):
    told = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=6))))
    assert plain(journey(*told)) == plain(journey(*history))


@given(histories)
@settings(max_examples=100)
def test_attributes_are_those_of_the_earliest_event_that_has_them(history):
    whole = journey(*history)
    ordered = sorted(history, key=lambda e: (e.event_ts, e.event_id))
    for name in ("carrier", "warehouse_id", "promised_delivery_ts"):
        assert getattr(whole, name) == next((v for e in ordered if (v := getattr(e, name)) is not None), None)
    assert whole.declared_value == max(e.declared_value or 0.0 for e in history)
    assert whole.first == {s: min(e.event_ts for e in history if e.stage == s) for s in {e.stage for e in history}}
    assert whole.last_ts == max(e.event_ts for e in history)


@given(histories)
@settings(max_examples=50)
def test_a_journey_survives_being_written_down_at_any_event(history):
    whole = Journey("o1", "t1")
    for one in history:
        fold(whole, one)
        whole = msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Journey)
    assert plain(whole) == plain(journey(*history))


def test_a_redelivered_event_is_told_from_a_new_one():
    whole = Journey("o1", "t1")
    scan = event("carrier_scanned", "12:00")
    assert [fold(whole, scan), fold(whole, scan), fold(whole, event("carrier_scanned", "13:00"))] == [True, False, True]
    assert whole.first == {"carrier_scanned": at("12:00")}


@pytest.mark.parametrize(
    ("story", "delivered"),
    [
        pytest.param([("delivered", "15:00")], "15:00", id="delivered"),
        pytest.param(
            [("delivered", "15:00"), ("delivered", "17:00")], "15:00", id="reported twice, the earliest counts"
        ),
        pytest.param([("failed", "12:00"), ("delivered", "15:00")], "15:00", id="given up and delivered after all"),
        pytest.param([("delivered", "15:00"), ("return_started", "1d 09:00")], "15:00", id="returned after delivery"),
        pytest.param([("return_started", "12:00"), ("delivered", "15:00")], None, id="the return leg's delivery"),
        pytest.param([("returned", "12:00"), ("delivered", "15:00")], None, id="delivered after it was returned"),
        pytest.param([("delivered", "12:00"), ("return_started", "12:00")], "12:00", id="both at the same moment"),
        pytest.param([("out_for_delivery", "12:00")], None, id="not yet"),
    ],
)
def test_delivered_at(story, delivered):
    whole = journey(*(event(stage, when) for stage, when in story))
    assert delivered_at(whole) == (None if delivered is None else at(delivered))


@pytest.mark.parametrize("stage", sorted(CLOSING_STAGES))
def test_every_closing_stage_closes(stage):
    assert journey(event("in_transit", "09:00"), event(stage, "10:00")).closed_ts == at("10:00")


def test_the_earliest_closing_counts_and_nothing_else_closes():
    assert journey(event("lost", "12:00"), event("failed", "11:00")).closed_ts == at("11:00")
    assert journey(*(event(stage) for stage in STAGES if stage not in CLOSING_STAGES)).closed_ts is None


@pytest.mark.parametrize(
    ("stages", "stands"),
    [
        pytest.param(["delivered", "in_transit"], "delivered", id="a scan after the delivery moves nothing back"),
        pytest.param(["delivered", "failed"], "delivered", id="delivered beats given up"),
        pytest.param(["delivered", "return_started"], "return_started", id="only a return reopens"),
        pytest.param(["exception", "in_transit"], "exception", id="trouble stays until the parcel is out"),
        pytest.param(["out_for_delivery", "exception"], "out_for_delivery", id="out for delivery is beyond trouble"),
    ],
)
def test_current_stage(stages, stands):
    told = [event(stage, at("09:00") + place * HOUR) for place, stage in enumerate(stages)]
    assert current_stage(journey(*told)) == stands
    assert stands == max(stages, key=RANK.__getitem__)


@pytest.mark.parametrize(
    ("story", "when", "status"),
    [
        pytest.param([], "12:00", "on_track", id="more than four hours left"),
        pytest.param([], "13:59:59.999999", "on_track", id="a microsecond before the last four hours"),
        pytest.param([], "14:00", "at_risk", id="four hours left"),
        pytest.param([], "18:00", "at_risk", id="at the promise itself"),
        pytest.param([], "18:00:00.000001", "breached", id="after the promise"),
        pytest.param([("delivered", "18:00")], "1d 00:00", "on_time", id="delivered at the promise"),
        pytest.param([("delivered", "18:01")], "1d 00:00", "late", id="delivered after it"),
        pytest.param([("failed", "12:00")], "1d 00:00", "failed", id="given up"),
        pytest.param([("cancelled", "12:00"), ("lost", "13:00")], "1d 00:00", "lost", id="the highest closing stage"),
        pytest.param(
            [("delivered", "12:00"), ("returned", "1d 12:00")], "2d 00:00", "on_time", id="delivered, then sent back"
        ),
        pytest.param(
            [("return_started", "12:00"), ("delivered", "13:00")],
            "1d 00:00",
            "return_started",
            id="delivered to the sender",
        ),
    ],
)
def test_sla_status(story, when, status):
    whole = journey(event("picked", "09:00", promise="18:00"), *(event(stage, ts) for stage, ts in story))
    assert sla_status(whole, at(when), AT_RISK) == status


@pytest.mark.parametrize("stage", ["in_transit", "delivered"])
def test_no_promise_is_a_status_of_its_own(stage):
    assert sla_status(journey(event(stage)), at("9d 00:00"), AT_RISK) == "no_promise"
