"""Whatever comes as a body, parsing gives events that the graph takes, or names what is wrong; it never breaks."""

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.stages import STAGES
from services.gateway.senders.sender import Malformed
from tests.services.gateway.senders.world import NEW, NOW, TRIALS, fixtures
from transforms.ingest.validate import LATEST_PROMISE, validate

KINDS = sorted({trial.kind for trial in TRIALS.values()})
SENDERS = {kind: TRIALS[kind].sender(NEW) for kind in KINDS}
EACH = pytest.mark.parametrize("kind", KINDS)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.sampled_from(["", "\x00", "delivered", "Delivered", "2026-03-02T10:00:00Z", "2026-02-30T10:00:00Z", "0001-01-01T00:00:00Z",
                     "9999-12-31T23:59:59-14:00", "20260306", "24:00", "30-12-0000", "+99:99", "../../etc", "9" * 400]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def holds(kind, body):
    """Parse a body; whatever is given must hold."""
    try:
        parsed = SENDERS[kind].parse(body, NOW)
    except Malformed as fault:
        assert len(str(fault)) < 300
        return
    for event in parsed.events:
        accepted = validate(event, LATEST_PROMISE)
        assert accepted.event_id.startswith(f"{kind}-")
        assert accepted.stage in STAGES
        assert event.carrier is None or re.fullmatch("[a-z0-9_]{1,32}", event.carrier)
        assert event.tracking_number.isascii() and event.tracking_number.isprintable()
        assert event.hub is None or (event.hub.isprintable() and len(event.hub) <= 64)
    for code in [*parsed.unknown, *parsed.doubtful]:
        assert re.fullmatch(r"[A-Za-z0-9_.&/ -]{1,64}", code)
    assert len({event.event_id for event in parsed.events}) == len(parsed.events)


def places(value, way=()):
    """Give the way to each place inside a payload."""
    yield way
    for step, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*way, step))


PLACES = {kind: [(each, way) for each in map(json.loads, fixtures(kind)) for way in places(each)] for kind in KINDS}


def altered(payload, way, act):
    """Give a copy of a payload with something done to the holder of one place."""
    payload = {"": copy.deepcopy(payload)}
    holder, way = payload, ("", *way)
    for step in way[:-1]:
        holder = holder[step]
    act(holder, way[-1])
    return json.dumps(payload.get("")).encode("utf-8", "surrogatepass")


@EACH
@settings(max_examples=150)
@given(body=st.binary())
def test_any_bytes(kind, body):
    holds(kind, body)


@EACH
@settings(max_examples=150)
@given(value=VALUES)
def test_any_json(kind, value):
    holds(kind, json.dumps(value).encode())


@EACH
@settings(max_examples=400)
@given(data=st.data(), value=VALUES)
def test_a_payload_with_another_value_anywhere(kind, data, value):
    payload, way = data.draw(st.sampled_from(PLACES[kind]))
    holds(kind, altered(payload, way, lambda holder, step: holder.__setitem__(step, value)))


@EACH
def test_a_payload_without_any_one_of_its_parts(kind):
    for payload, way in PLACES[kind]:
        holds(kind, altered(payload, way, lambda holder, step: holder.pop(step)))


@EACH
@settings(max_examples=100)
@given(data=st.data())
def test_a_payload_with_bytes_cut_out_or_doubled(kind, data):
    body = data.draw(st.sampled_from(fixtures(kind)))
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    holds(kind, body[:start] + body[end:])
    holds(kind, body[:end] + body[start:])


@EACH
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"data":' * 5000 + b"1" + b"}" * 5000])
def test_a_body_nested_without_end(kind, body):
    holds(kind, body)


@EACH
@pytest.mark.parametrize("unknown", [{"a key of next year": {"deep": [1, None, "x"]}}])
def test_keys_that_are_not_known_change_nothing(kind, unknown):
    def with_more(value):
        if isinstance(value, dict):
            return {**{name: with_more(inner) for name, inner in value.items()}, **unknown}
        return [with_more(inner) for inner in value] if isinstance(value, list) else value

    for body in fixtures(kind):
        try:
            plain = SENDERS[kind].parse(body, NOW)
        except Malformed:
            continue
        assert SENDERS[kind].parse(json.dumps(with_more(json.loads(body))).encode(), NOW) == plain
