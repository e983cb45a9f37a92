"""Webhooks: who is let in, what becomes of what they say, and that it is durable when it is answered."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.fields import DAY, HOUR
from schemas.spool import SpoolWriter
from services.gateway.gateway import Door
from services.gateway.senders.sender import Malformed, Unproved
from services.rates import Bucket
from tests.services.gateway.conftest import delivery, problem, signed
from tests.services.gateway.senders.world import NEW, NOW, OLD, TRIALS, WRONG, fixtures
from transforms.ingest.decode import decode
from transforms.ingest.validate import validate


def test_what_is_answered_200_is_in_the_spool(gateway):
    answer = gateway.send(delivery(step=2))
    assert (answer.status_code, answer.json()) == (200, {"events": 3, "repeated": False})
    told = gateway.lines()
    assert [line["stage"] for line in told] == ["carrier_scanned", "hub_in", "hub_out"]
    assert {line["tracking_number"] for line in told} == {"LDT00000000"}
    assert all(line["received_ts"] and None not in line.values() for line in told)


@pytest.fixture
def trial_gateway(start):
    """A gateway to which one of each sender is let in, and for which it is always NOW."""
    with start() as gateway:
        for name, trial in TRIALS.items():
            gateway.gateway.doors[name] = Door(trial.sender(NEW), Bucket(1000, 1000, 0), False)
        gateway.gateway.clock = SimpleNamespace(now=lambda: NOW)
        yield gateway


def post(gateway, name, body, headers, query):
    """Send a body; headers may have any characters."""
    return gateway.post(
        f"/webhooks/{name}", body, {key: value.encode() for key, value in headers.items()}, params=query
    )


def forgeries(trial, body):
    """Give proofs that prove nothing, each with the body that it comes with."""
    headers, query = trial.prove(body, NOW, NEW)
    yield body, {}, {}
    yield body, dict.fromkeys(headers, ""), dict.fromkeys(query, "")
    yield body, dict.fromkeys(headers, "é" * 40), dict.fromkeys(query, "é" * 40)
    for secret in (WRONG, NEW + "x", NEW[:-1], "", OLD):
        yield body, *trial.prove(body, NOW, secret)
    if "body" in trial.signs:
        for changed in (body + b" ", body[:-1], b"", body.replace(b"1", b"2", 1)):
            yield changed, headers, query
    if "time" in trial.signs:
        for ts in (NOW - HOUR, NOW + HOUR):
            yield body, *trial.prove(body, ts, NEW)


@pytest.mark.parametrize("name", TRIALS)
def test_no_forged_delivery_is_taken(trial_gateway, name):
    trial, gateway = TRIALS[name], trial_gateway
    body = fixtures(trial.kind)[0]
    for forged, headers, query in forgeries(trial, body):
        answer = post(gateway, name, forged, headers, query)
        assert (answer.status_code, problem(answer)) == (401, "unproved")
        assert set(answer.json()) == {"type", "title", "status"}
    assert gateway.lines() == [] and gateway.kept() == []
    assert post(gateway, name, body, *trial.prove(body, NOW, NEW)).status_code == 200
    assert gateway.lines()


@pytest.mark.parametrize("name", TRIALS)
def test_the_graph_takes_every_line(trial_gateway, name):
    trial, gateway = TRIALS[name], trial_gateway
    for body in fixtures(trial.kind):
        post(gateway, name, body, *trial.prove(body, NOW, NEW))
    assert gateway.lines()
    for line in gateway.lines():
        event, unknown = decode(json.dumps(line).encode(), 64 * 1024)
        assert validate(event, NOW + DAY).received_ts == NOW and unknown == 0


def test_both_secrets_count_while_one_replaces_the_other(start, monkeypatch):
    monkeypatch.setenv("OLD", "the one before")
    rotating = '[sender.easypost]\nsecrets = ["EASYPOST_SECRET", "OLD"]\n'
    with start(senders=rotating) as gateway:
        assert gateway.send(delivery()).status_code == 200
        assert gateway.send(delivery(1, secret="the one before")).status_code == 200
        assert gateway.send(delivery(2, secret="another")).status_code == 401


def test_an_unknown_sender(gateway):
    assert problem(gateway.send(delivery(), "nobody")) == "unknown_sender"
    assert gateway.count("problems_total", sender="nobody", problem="unknown_sender") == 1


def test_a_stranger_makes_no_label(gateway):
    for number in range(20):
        gateway.send(delivery(), f"made-up-{number}")
    assert "made-up" not in gateway.client.get("/metrics").text


def test_what_came_before_is_answered_without_work(gateway, monkeypatch):
    first = gateway.send(delivery())
    again = gateway.send(delivery())
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == {"events": 0, "repeated": True}
    assert len(gateway.lines()) == 1
    assert gateway.count("repeats_total", sender="easypost") == 1


def test_what_came_before_must_be_proved_again(gateway):
    gateway.send(delivery())
    assert problem(gateway.send(delivery()._replace(headers={}))) == "unproved"


def test_a_body_that_did_not_get_to_the_disk_is_no_repeat(gateway, monkeypatch):
    def fail(self, lines):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(SpoolWriter, "append", fail)
        answer = gateway.send(delivery())
        assert (answer.status_code, problem(answer)) == (503, "full")
        assert int(answer.headers["retry-after"]) >= 1
    gateway.gateway.recover()
    assert gateway.send(delivery()).json()["events"] == 1


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b"\xff\xfe", b'{"description": "tracker.updated", "result": {}}']
)
def test_a_body_that_is_no_payload_is_refused_and_kept(gateway, body):
    answer = gateway.send(signed(body))
    assert (answer.status_code, problem(answer)) == (400, "malformed")
    (kept,) = gateway.kept()
    assert (kept.body, kept.why.sender) == (body, "easypost")
    gateway.send(signed(body))
    assert len(gateway.kept()) == 1
    assert gateway.lines() == []


def test_a_body_with_codes_that_nobody_knows_is_taken_and_kept(gateway):
    request = signed(delivery(step=1).body.replace(b"arrived_at_facility", b"lost_in_space"))
    answer = gateway.send(request)
    assert (answer.status_code, answer.json()["events"]) == (200, 1)
    (kept,) = gateway.kept()
    assert kept.body == request.body and "lost_in_space" in kept.why.reason
    assert gateway.count("unknown_total", sender="easypost", code="in_transit/lost_in_space") == 1


def test_only_so_many_unknown_codes_become_labels(gateway):
    for number in range(300):
        gateway.gateway.metrics.count_unknown("easypost", f"code {number}", 1)
    assert gateway.count("unknown_total", sender="easypost", code="other") == 100


def test_an_adapter_that_fails_loses_nothing_and_leaks_nothing(gateway, monkeypatch, caplog):
    def fail(body, received_ts):
        raise ValueError("a name and an address")

    monkeypatch.setattr(gateway.gateway.doors["easypost"].sender, "parse", fail)
    with caplog.at_level("INFO"):
        answer = gateway.send(delivery())
    assert (answer.status_code, problem(answer)) == (500, "failed")
    assert "address" not in answer.text + caplog.text
    assert len(gateway.kept()) == 1


def test_keys_that_cannot_be_had_are_no_proof_and_no_forgery(gateway, monkeypatch):
    def fail(delivery):
        raise Unproved("The sender's keys cannot be fetched.")

    monkeypatch.setattr(gateway.gateway.doors["easypost"].sender, "verify", fail)
    answer = gateway.send(delivery())
    assert (answer.status_code, problem(answer)) == (503, "keys_away")
    assert gateway.lines() == []


def test_a_malformed_body_is_told_by_its_field_and_never_by_a_value(gateway, monkeypatch):
    def fail(body, received_ts):
        raise Malformed("tracking_code is no tracking number")

    monkeypatch.setattr(gateway.gateway.doors["easypost"].sender, "parse", fail)
    assert gateway.send(delivery()).json()["detail"] == "tracking_code is no tracking number"


TEXT = st.text(max_size=8) | st.sampled_from(["tracker.updated", "delivered", "2026-03-02T09:00:00Z", "UPS"])
FIELDS = st.sampled_from(
    ["description", "result", "tracking_code", "carrier", "tracking_details", "status", "datetime", "x"]
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
)


@given(JSONS.map(json.dumps).map(str.encode) | st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_whatever_a_sender_signs_is_taken_or_refused_as_its_fault(gateway, body):
    assert gateway.send(signed(body)).status_code in (200, 400)
