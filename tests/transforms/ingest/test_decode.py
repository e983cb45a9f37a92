"""Every way in which a line is no event, and the name it is given."""

import json

import pytest

from schemas.rejections import REASONS, Rejected
from tests.builders import line, wire
from transforms.ingest.decode import decode

MAX = 1024 * 1024
GOOD = line()


def with_unknown(value: bytes) -> bytes:
    """Give a good line with one more field."""
    return GOOD[:-1] + b', "extra": ' + value + b"}"


REJECTED = [
    pytest.param("malformed_json", b"{", id="cut off"),
    pytest.param("malformed_json", b"hello", id="no JSON"),
    pytest.param("malformed_json", GOOD + b"x", id="something after it"),
    pytest.param("malformed_json", GOOD + GOOD, id="two on a line"),
    pytest.param("malformed_json", GOOD.replace(b'"t1"', b'"\\ud800"'), id="half a surrogate pair"),
    pytest.param("malformed_json", GOOD[:-1] + b', "declared_value": NaN}', id="NaN"),
    pytest.param("malformed_json", b"\x00", id="NUL"),
    pytest.param("invalid_utf8", GOOD.replace(b"t1", b"\xff\xfe"), id="no UTF-8 in a field"),
    pytest.param("invalid_utf8", with_unknown(b'"\xff"'), id="no UTF-8 in an unknown field"),
    pytest.param("not_an_object", b"[]", id="a list"),
    pytest.param("not_an_object", b'"text"', id="a text"),
    pytest.param("not_an_object", b"null", id="null"),
    pytest.param("not_an_object", b"[" * 100_000, id="lists 100,000 deep"),
    pytest.param("too_deep", with_unknown(b"[" * 1_000 + b"]" * 1_000), id="an unknown field 1,000 deep"),
    pytest.param("too_deep", with_unknown(b"[" * 100_000 + b"]" * 100_000), id="an unknown field 100,000 deep"),
    pytest.param("too_deep", b'{"a":' * 100_000, id="objects 100,000 deep"),
    pytest.param("too_large", line(hub="x" * MAX), id="more than the policy allows"),
    pytest.param("too_large", b"x" * 10_000_000, id="ten megabytes"),
    pytest.param("missing_field", line(event_id=None), id="no event_id"),
    pytest.param("missing_field", line(stage=None), id="no stage"),
    pytest.param("missing_field", line(tracking_number=None), id="no tracking_number"),
    pytest.param("missing_field", line(event_ts=None), id="no event_ts"),
    pytest.param("missing_field", b"{}", id="nothing"),
    pytest.param("wrong_type", line(stage=3), id="a number for a stage"),
    pytest.param("wrong_type", line(event_ts=1772442000), id="a number for a time"),
    pytest.param("wrong_type", line(declared_value="12"), id="a text for a value"),
    pytest.param("wrong_type", line(hub={"name": "h1"}), id="an object for a text"),
    pytest.param("wrong_type", GOOD.replace(b'"t1"', b"null"), id="null for a required field"),
    pytest.param("invalid_value", line(event_id=""), id="an empty id"),
    pytest.param("invalid_value", line(order_id="x" * 300), id="an id of 300 characters"),
    pytest.param("invalid_value", line(declared_value=-1), id="a value below nothing"),
    pytest.param("invalid_value", GOOD[:-1] + b', "declared_value": 1e999}', id="a value beyond all numbers"),
    pytest.param("naive_timestamp", line(event_ts="2026-03-02T09:00:00"), id="a time without a zone"),
    pytest.param("naive_timestamp", line(promised_delivery_ts="2026-03-02T09:00:00"), id="a promise without a zone"),
    pytest.param("invalid_timestamp", line(event_ts="yesterday"), id="no time"),
    pytest.param("invalid_timestamp", line(event_ts="2026-02-30T09:00:00Z"), id="no such day"),
    pytest.param("invalid_timestamp", line(event_ts="2026-03-02"), id="a day only"),
]


@pytest.mark.parametrize(("reason", "raw"), REJECTED)
def test_rejected(reason, raw):
    with pytest.raises(Rejected) as fault:
        decode(raw, MAX)
    assert fault.value.reason == reason
    assert reason in REASONS
    assert len(fault.value.detail) < 300


def test_the_seeds_json_works_unchanged():
    event, unknown = decode(GOOD, MAX)
    assert (event.event_id, event.order_id, event.stage, event.tracking_number) == ("e1", "o1", "picked", "t1")
    assert event.event_ts.isoformat() == "2026-03-02T09:00:00+00:00"
    assert unknown == 0


@pytest.mark.parametrize(
    "text",
    ["2026-03-02T14:30:00+05:30", "2026-03-02T09:00:00.000000Z", "2026-03-02t09:00:00z", "2026-03-01T21:00:00-12:00"],
)
def test_a_time_in_any_zone_is_the_same_time(text):
    assert decode(line(event_ts=text), MAX)[0].event_ts.timestamp() == 1772442000


def test_optional_fields_may_be_null():
    event, _ = decode(json.dumps(wire() | dict.fromkeys(("reason", "hub", "declared_value", "order_id"))).encode(), MAX)
    assert (event.reason, event.hub, event.declared_value, event.order_id) == (None, None, None, None)


@pytest.mark.parametrize(("extra", "unknown"), [({"x": 1}, 1), ({"x": [{"y": 2}], "z": None}, 2)])
def test_unknown_fields_are_counted_and_ignored(extra, unknown):
    assert (
        decode(line(**extra, z=extra.get("z")) if "z" not in extra else json.dumps(wire() | extra).encode(), MAX)[1]
        == unknown
    )


def test_a_field_may_be_wrong_beside_an_unknown_one():
    with pytest.raises(Rejected) as fault:
        decode(line(extra=1, event_ts="2026-03-02T09:00:00"), MAX)
    assert fault.value.reason == "naive_timestamp"


def test_the_detail_repeats_no_value():
    with pytest.raises(Rejected) as fault:
        decode(line(declared_value="+91 98765 43210"), MAX)
    assert "98765" not in fault.value.detail


@pytest.mark.parametrize("size", [MAX - 1, MAX, MAX + 1])
def test_the_largest_line_that_is_looked_into(size):
    raw = line(hub="")
    raw = line(hub="x" * (size - len(raw)))
    assert len(raw) == size
    if size <= MAX:
        decode(raw, MAX)
    else:
        with pytest.raises(Rejected, match="too_large"):
            decode(raw, MAX)
