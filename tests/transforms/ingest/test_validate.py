"""An event that reads well may still be none: what could not be true is rejected by name."""

import pytest

from schemas.events import Event
from schemas.fields import DAY
from schemas.rejections import REASONS, Rejected
from schemas.stages import STAGES
from tests.builders import MONDAY, at, event, line
from transforms.ingest.decode import decode
from transforms.ingest.validate import plain_carrier, validate

LATEST = MONDAY + DAY


def check(**said) -> Event:
    """Decode and check a seed-shaped event."""
    return validate(decode(line(**said), 1 << 20)[0], LATEST)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        pytest.param("unknown_stage", {"stage": "teleported"}, id="unknown stage"),
        pytest.param("unknown_stage", {"stage": "PICKED"}, id="stage in capitals"),
        pytest.param("unknown_stage", {"stage": ""}, id="empty stage"),
        pytest.param("missing_field", {"order_id": None, "carrier": None}, id="neither order nor carrier"),
        pytest.param("missing_field", {"order_id": None, "carrier": ""}, id="no order and an empty carrier"),
        pytest.param("invalid_value", {"successor": "t1"}, id="a waybill that follows itself"),
        pytest.param("invalid_value", {"successor": ""}, id="an empty successor"),
        pytest.param("future_timestamp", {"event_ts": "2026-03-03T00:00:00.000001Z"}, id="past the horizon and its tolerance"),
        pytest.param("future_timestamp", {"event_ts": "2026-03-05T00:00:00Z"}, id="two days ahead"),
        pytest.param("absurd_timestamp", {"event_ts": "9999-12-31T23:59:59Z"}, id="year 9999"),
        pytest.param("absurd_timestamp", {"event_ts": "9999-12-31T23:59:59-12:00"}, id="year 9999, west of Greenwich"),
        pytest.param("absurd_timestamp", {"event_ts": "0001-01-01T00:00:00Z"}, id="year 1"),
        pytest.param("absurd_timestamp", {"event_ts": "0001-01-01T00:00:00+12:00"}, id="year 1, east of Greenwich"),
        pytest.param("absurd_timestamp", {"event_ts": "1970-01-01T00:00:00Z"}, id="a clock that was never set"),
        pytest.param("absurd_timestamp", {"promised_delivery_ts": "9999-12-31T23:59:59Z"}, id="a promise in year 9999"),
        pytest.param("absurd_timestamp", {"promised_delivery_ts": "9999-12-31T23:59:59-12:00"}, id="a promise after year 9999"),
        pytest.param("absurd_timestamp", {"promised_delivery_ts": "0001-01-01T00:00:00Z"}, id="a promise in year 1"),
        pytest.param("absurd_timestamp", {"received_ts": "0001-01-01T00:00:00Z"}, id="received in year 1"),
        pytest.param("absurd_timestamp", {"received_ts": "9999-12-31T23:59:59-12:00"}, id="received after year 9999"),
    ],
)  # fmt: skip
def test_rejected(reason, said):
    with pytest.raises(Rejected) as fault:
        check(**said)
    assert fault.value.reason == reason
    assert reason in REASONS


@pytest.mark.parametrize(
    "carrier",
    ["../x", "..", "a..b", "a=b/c", "a/b", "a\\b", "x\x00y", "x\ny", "x\n", " x", ".x", "-x", "é", "x" * 300, "x" * 65, "%2e%2e", "a'b"],
    ids=repr,
)  # fmt: skip
def test_a_carrier_that_could_not_name_a_folder(carrier):
    assert not plain_carrier(carrier)
    with pytest.raises(Rejected) as fault:
        check(carrier=carrier)
    assert fault.value.reason == "invalid_carrier"
    assert carrier not in fault.value.detail or carrier in (".", "..", " x")


@pytest.mark.parametrize("carrier", ["UPS", "Blue Dart", "A&B", "dhl-express_2", "J.B. Hunt", "4PX", "x" * 64])
def test_a_plain_carrier(carrier):
    assert check(carrier=carrier).carrier == carrier


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_stage_of_the_vocabulary_is_taken(stage):
    assert check(stage=stage).stage == stage


def test_an_event_in_milepost_s_own_form():
    assert check() == event(
        "picked", "09:00", id="e1", customer="c1", warehouse="w1", carrier="BlueDart", promise="3d 18:00"
    )


def test_empty_texts_are_absent():
    taken = check(customer_id="", warehouse_id="", carrier="", reason="", hub="", origin_region="", currency="")
    assert {taken.customer_id, taken.warehouse_id, taken.carrier, taken.reason, taken.hub, taken.currency} == {None}


def test_an_event_at_the_edge_of_the_tolerance_is_taken():
    assert check(event_ts="2026-03-03T00:00:00Z").event_ts == LATEST
    assert check(event_ts="2000-01-01T00:00:00Z").event_ts < MONDAY


def test_microseconds_are_kept_exactly():
    assert check(event_ts="2026-03-02T09:00:00.123457Z").event_ts == at("09:00:00.123457")


def test_an_event_without_an_order_needs_its_carrier():
    assert check(order_id=None).order_id is None
