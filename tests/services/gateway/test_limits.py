"""Limits: of bytes, depth, events and rates; each refusal names the fault and can be read by a machine."""

import gzip
import json
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.spool import Place, note_done, segments
from services.gateway import gateway as gateways
from services.gateway.bodies import check_depth, decompress
from services.gateway.problems import KINDS, Problem
from services.gateway.repeats import Repeats
from services.rates import Bucket
from tests.builders import wire
from tests.services.gateway.conftest import delivery, event, problem, signed


def test_a_body_that_is_too_large(start):
    with start("[limits]\nbody = 2048\n") as gateway:
        assert gateway.tell(event(reason="x" * 1500)).status_code == 200
        answer = gateway.tell(event(reason="x" * 2500))
        assert (answer.status_code, problem(answer)) == (413, "too_large")
        assert "connection" not in answer.headers
        # So much too large that it is not read to its end.
        answer = gateway.tell(event(reason="x" * 20_000))
        assert (problem(answer), answer.headers["connection"]) == ("too_large", "close")


def test_a_body_that_does_not_say_how_large_it_is(start):
    def pieces():
        for _ in range(100):
            yield b"x" * 1024

    with start("[limits]\nbody = 2048\n") as gateway:
        answer = gateway.client.post("/events", content=pieces(), headers={"x-api-key": "a key of the tests"})
        assert problem(answer) == "too_large"


@pytest.mark.parametrize(
    ("encoding", "squeeze"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_compressed_bodies(gateway, encoding, squeeze):
    assert gateway.tell(squeeze(event()), **{"content-encoding": encoding}).status_code == 200
    assert len(gateway.lines()) == 1


def test_a_signature_is_that_of_what_was_compressed(gateway):
    request = delivery()
    squeezed = request._replace(body=gzip.compress(request.body, mtime=0))
    assert gateway.send(squeezed, **{"content-encoding": "gzip"}).status_code == 200


def test_gzip_of_several_members():
    assert decompress(gzip.compress(b"ab", mtime=0) + gzip.compress(b"cd", mtime=0), "gzip", 4) == b"abcd"
    with pytest.raises(Problem, match="At most 3"):
        decompress(gzip.compress(b"ab", mtime=0) + gzip.compress(b"cd", mtime=0), "gzip", 3)


@pytest.mark.parametrize("body", [b"plain", gzip.compress(b"x" * 100, mtime=0)[:-9], b"\x1f\x8b"])
def test_what_cannot_be_decompressed(gateway, body):
    assert problem(gateway.tell(body, **{"content-encoding": "gzip"})) == "bad_encoding"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "compress"])
def test_encodings_that_are_not_known(gateway, encoding):
    answer = gateway.tell(event(), **{"content-encoding": encoding})
    assert (answer.status_code, problem(answer)) == (415, "unknown_encoding")


def test_a_gzip_bomb_never_unfolds():
    bomb = gzip.compress(gzip.compress(bytes(64 * 1024 * 1024)) * 50)
    bomb = gzip.compress(bytes(256 * 1024 * 1024), 1)
    tracemalloc.start()
    with pytest.raises(Problem, match="after decompression"):
        decompress(bomb, "gzip", 1024 * 1024)
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()


def test_json_that_is_too_deep(gateway):
    for body in (b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000):
        assert problem(gateway.tell(body)) == "too_deep"
    assert problem(gateway.tell(b"[" * 64 + b"]" * 64)) == "invalid_events"


JSONS = st.recursive(
    st.none() | st.booleans() | st.text('[]{}"\\ax', max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\', max_size=4), inner, max_size=3),
    max_leaves=12,
)


def depth(value):
    """Tell how deep a value is, by another road."""
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(depth, inner), default=0)
    return 0


@given(JSONS, st.integers(0, 4))
def test_depth_is_that_of_the_value_whatever_its_strings_hold(value, deepest):
    body = json.dumps(value).encode()
    if depth(value) <= deepest:
        check_depth(body, deepest)
    else:
        with pytest.raises(Problem):
            check_depth(body, deepest)


@given(st.binary(max_size=200))
def test_anything_has_a_depth(body):
    check_depth(body, 200)


def test_too_many_events(start):
    with start("[limits]\nevents = 3\n") as gateway:
        assert gateway.tell(json.dumps([wire(event_id=f"{n}") for n in range(3)]).encode()).status_code == 200
        assert problem(gateway.tell(json.dumps([wire()] * 4).encode())) == "too_many_events"
        assert gateway.send(delivery(step=2)).status_code == 200
        assert problem(gateway.send(delivery(1, step=3))) == "too_many_events"
        assert len(gateway.kept()) == 1


def test_a_sender_that_is_too_fast_is_told_when_to_come_again(start, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(gateways.time, "monotonic", lambda: now[0])
    slow = '[sender.easypost]\nsecrets = ["EASYPOST_SECRET"]\nrate = 0.5\nburst = 2\n'
    with start(senders=slow) as gateway:
        assert [gateway.send(delivery(n)).status_code for n in range(3)] == [200, 200, 429]
        answer = gateway.send(delivery(4))
        assert (problem(answer), answer.headers["retry-after"]) == ("too_fast", "2")
        now[0] += 2
        assert gateway.send(delivery(4)).status_code == 200


def test_who_forges_uses_up_nobodys_rate(start):
    slow = '[sender.easypost]\nsecrets = ["EASYPOST_SECRET"]\nrate = 0.001\nburst = 1\n'
    with start(senders=slow) as gateway:
        for _ in range(20):
            assert gateway.send(delivery(secret="wrong")).status_code == 401
        assert gateway.send(delivery()).status_code == 200


@given(st.floats(0.1, 100), st.floats(1, 50), st.lists(st.floats(0, 10), max_size=100))
def test_a_bucket_lets_through_its_burst_and_its_rate(rate, burst, waits):
    bucket, now, taken = Bucket(rate, burst, 0.0), 0.0, 0
    for wait in waits:
        now += wait
        more = bucket.take(now)
        assert more <= 1 / rate
        taken += not more
        assert taken <= burst + rate * now + 1e-6


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 10)), max_size=60), st.integers(1, 4))
def test_repeats_never_remember_what_was_not_taken(steps, count):
    repeats, now, taken = Repeats(window=15, count=count), 0.0, {}
    for name, wait in steps:
        now += wait
        if repeats.seen(name.encode(), now):
            assert now - taken[name] <= 15
        repeats.add(name.encode(), now)
        assert repeats.seen(name.encode(), now)
        taken[name] = now


def test_a_signed_body_that_is_too_deep_is_kept(gateway):
    assert problem(gateway.send(signed(b"[" * 100))) == "too_deep"
    (kept,) = gateway.kept()
    assert kept.why.reason == "too_deep"


def test_a_spool_that_fills_and_drains_is_said_once_each(start, caplog):
    with caplog.at_level("INFO"), start("[spool]\nbytes = 1024\nsegment = 1024\n") as gateway:
        number = 0
        while gateway.send(delivery(number)).status_code == 200:
            number += 1
        wait_for(lambda: "spool_full" in caplog.text)
        note_done(gateway.folder, Place(segments(gateway.folder)[-1] + 1))
        wait_for(lambda: "spool_has_room" in caplog.text)
        assert gateway.send(delivery(number)).status_code == 200
    assert (caplog.text.count("spool_full"), caplog.text.count("spool_has_room")) == (1, 1)


def wait_for(condition):
    """Wait until something is so."""
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_full_spool_takes_nothing_more_until_it_is_drained(start):
    with start("[spool]\nbytes = 1024\n") as gateway:
        statuses = [gateway.send(delivery(n)).status_code for n in range(8)]
        assert statuses == sorted(statuses) and {200, 503} == set(statuses)
        answer = gateway.send(delivery(9))
        assert problem(answer) == "full" and int(answer.headers["retry-after"]) >= 1
        assert gateway.client.get("/readyz").status_code == 503
        assert gateway.client.get("/healthz").status_code == 200
        assert len(gateway.lines()) == statuses.count(200)


def test_a_disk_with_too_little_left_takes_nothing_more(start):
    with start(f"[spool]\nfree = {2**60}\n") as gateway:
        assert problem(gateway.send(delivery())) == "full"
        assert gateway.lines() == []


def test_too_many_requests_in_hand(start):
    with start("[limits]\nrequests = 1\n") as gateway, gateway.gateway.in_hand():
        answer = gateway.send(delivery())
        assert (answer.status_code, problem(answer)) == (503, "busy")
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [("GET", "/events", 405, "wrong_method"), ("POST", "/healthz", 405, "wrong_method"),
     ("GET", "/", 404, "not_found"), ("POST", "/webhooks/", 404, "not_found"), ("PUT", "/webhooks/easypost", 405, "wrong_method")],
)  # fmt: skip
def test_what_is_not_there(gateway, method, path, status, name):
    answer = gateway.client.request(method, path)
    assert (answer.status_code, problem(answer)) == (status, name)


@pytest.mark.parametrize("name", KINDS)
def test_every_problem_can_be_written(name):
    problem = Problem(name, retry_after=3.4)
    assert json.loads(problem.body())["status"] == problem.status
    assert problem.headers()["retry-after"] == "3"
