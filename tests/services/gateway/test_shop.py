"""The shop's own events: how they may be written, who may send them, and that a body is taken whole or not at all."""

import json

import pytest

from schemas.clock import WALL
from schemas.fields import MINUTE, to_text
from services.gateway.keys import Keys
from tests.builders import wire
from tests.services.gateway.conftest import KEY, event, problem


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (event(), "application/json"),
        (b" \n" + event() + b"\n", "application/json; charset=utf-8"),
        (b"[" + event() + b"]", "application/json"),
        (event(), "application/x-ndjson"),
        (b"\n" + event() + b"\r\n\n", "application/jsonl"),
    ],
)
def test_one_event_in_each_of_its_forms(gateway, body, kind):
    assert gateway.tell(body, kind=kind).json() == {"events": 1, "repeated": False}
    (line,) = gateway.lines()
    assert line.pop("received_ts") and line == wire()


def test_many_events_in_order(gateway):
    events = [wire(event_id=f"e{n}", tracking_number=f"t{n}") for n in range(500)]
    assert gateway.tell(json.dumps(events).encode()).json()["events"] == 500
    assert [line["event_id"] for line in gateway.lines()] == [one["event_id"] for one in events]


def test_a_reissued_waybill_names_its_successor(gateway):
    told = {"stage": "cancelled", "reason": "retailer_reissued", "successor": "t2"}
    assert gateway.tell(event(**told)).status_code == 200
    (line,) = gateway.lines()
    assert line.pop("received_ts") and line == wire(**told)
    assert problem(gateway.tell(event(**told | {"successor": "t1"}))) == "invalid_events"


def test_an_empty_array_is_taken_and_tells_nothing(gateway):
    assert gateway.tell(b"[]").json() == {"events": 0, "repeated": False}
    assert gateway.lines() == []


def test_the_time_it_came_is_stamped_only_where_none_is_told(gateway):
    told = to_text(WALL.now() - MINUTE)
    gateway.tell(b"[" + event(event_id="a", received_ts=told) + b"," + event(event_id="b") + b"]")
    first, second = gateway.lines()
    assert first["received_ts"] == told
    assert told < second["received_ts"] <= to_text(WALL.now())


def test_unknown_fields_are_dropped_and_counted(gateway):
    assert gateway.tell(event(phone="555", email="x@y")).status_code == 200
    assert gateway.lines()[0].keys() - {"received_ts"} == wire().keys()
    assert gateway.count("unknown_fields_total") == 2


BAD = [
    (wire(stage=None), "missing_field"),
    (wire(stage="teleported"), "unknown_stage"),
    (wire(carrier="../x"), "invalid_carrier"),
    (wire(event_ts="2026-03-02T09:00:00"), "naive_timestamp"),
    (wire(event_ts="soon"), "invalid_timestamp"),
    (wire(event_ts="2090-01-01T00:00:00Z"), "future_timestamp"),
    (wire(event_ts="2999-01-01T00:00:00Z"), "absurd_timestamp"),
    (wire(tracking_number=7), "wrong_type"),
    (wire(declared_value=-1), "invalid_value"),
    (wire(reason="x" * 70_000), "too_large"),
    ("text", "not_an_object"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_body_with_an_event_that_cannot_be_taken_is_refused_whole(gateway, bad, reason):
    answer = gateway.tell(json.dumps([wire(), bad, wire(event_id="e3")]).encode())
    assert (answer.status_code, problem(answer)) == (422, "invalid_events")
    (fault,) = answer.json()["errors"]
    assert (fault["index"], fault["reason"]) == (1, reason)
    assert gateway.lines() == []


def test_only_so_many_bad_events_are_named(gateway):
    said = gateway.tell(json.dumps([{}] * 500).encode()).json()
    assert said["detail"] == "500 of 500 events cannot be taken."
    assert [fault["index"] for fault in said["errors"]] == list(range(100))


@pytest.mark.parametrize("body", [b"[", b"[1,]", b"[{]", b"[" + event()])
def test_what_is_no_array(gateway, body):
    assert problem(gateway.tell(body)) == "malformed"


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_what_is_no_json_by_its_own_word(gateway, kind):
    answer = gateway.tell(event(), kind=kind)
    assert (answer.status_code, problem(answer)) == (415, "unknown_media_type")


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], KEY + "x", "é"])
def test_nobody_else_may_tell_events(gateway, key):
    answer = gateway.tell(event(), key=key.encode())
    assert (answer.status_code, problem(answer)) == (401, "unproved")
    assert gateway.lines() == []


def test_both_keys_count_while_one_replaces_the_other(gateway):
    assert gateway.tell(event(), key="the key before").status_code == 200


def test_who_is_refused_is_refused_before_the_body_is_read(gateway):
    def endless():
        yield b"x"
        raise AssertionError("nobody may ask for this")

    assert gateway.client.post("/events", content=endless(), headers={"x-api-key": "wrong"}).status_code == 401


def test_without_keys_there_is_no_such_door(start):
    with start(senders='[sender.easypost]\nsecrets = ["EASYPOST_SECRET"]\n') as gateway:
        assert problem(gateway.tell(event())) == "not_found"


def test_what_came_before_is_answered_without_work(gateway):
    assert gateway.tell(event()).json()["repeated"] is False
    assert gateway.tell(event()).json()["repeated"] is True
    assert len(gateway.lines()) == 1


def test_no_keys_let_nobody_in():
    assert not Keys([]).fit("")
