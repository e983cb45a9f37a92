"""Each line that is not blank is either accepted or rejected, and no line stops the others."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.fields import DAY
from schemas.policy import Intake
from schemas.rejections import REASONS
from tests.builders import MONDAY, block, line
from transforms.ingest.take_in import take_in

LATEST = MONDAY + DAY
GOOD = line()


def taken(*lines, **said):
    """Take a block in."""
    batch, rejected, unknown = take_in(block(*lines, **said), Intake(), LATEST)
    return batch.events, rejected, unknown


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b" \t\n"], ids=repr)
def test_lines_may_end_in_any_way_and_blank_ones_are_none(end):
    events, rejected, _ = taken(line(event_id="a"), line(event_id="b"), b"", end=end)
    assert [e.event_id for e in events] == ["a", "b"]
    assert rejected == []


def test_a_bad_line_does_not_stop_the_next_and_says_where_it_stood():
    events, rejected, _ = taken(GOOD, b"", b"oops", line(stage="x"), line(event_id="b"), first=11)
    assert [e.event_id for e in events] == ["e1", "b"]
    assert [(r.reason, r.position, r.source, r.received_ts) for r in rejected] == [
        ("malformed_json", 13, "events.jsonl", MONDAY),
        ("unknown_stage", 14, "events.jsonl", MONDAY),
    ]


def test_a_rejection_keeps_the_raw_line_and_its_true_size():
    raw = b"x" * (17 * 1024 * 1024)
    ((row,), _) = taken(raw)[1:]
    assert (row.reason, row.raw_size, len(row.raw)) == ("too_large", len(raw), 16 * 1024 * 1024)
    assert taken(b"  oops \r")[1][0].raw == b"  oops "


def test_the_same_bad_line_is_the_same_rejection_wherever_it_stood():
    one, other = taken(b"oops", first=1)[1][0], taken(GOOD, b"oops", first=90)[1][0]
    assert one.rejection_id == other.rejection_id
    assert one.rejection_id != taken(b"oops!")[1][0].rejection_id


def test_unknown_fields_are_counted_of_accepted_lines():
    assert taken(line(x=1), line(y=2, z=3), GOOD)[2] == 3


def test_the_policy_says_how_large_a_line_may_be():
    assert take_in(block(line(hub="x" * 2000)), Intake(max_record_bytes=1024), LATEST)[1][0].reason == "too_large"


def test_an_empty_block():
    assert taken(b"") == taken(b"\n \r\n") == ([], [], 0)


@pytest.mark.parametrize("field", ["event_ts", "promised_delivery_ts", "received_ts"])
@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59"]
)
def test_no_time_at_the_ends_of_the_calendar_stops_the_job(field, text):
    events, rejected, _ = taken(line(**{field: text}))
    assert (events, [r.reason for r in rejected]) == ([], ["absurd_timestamp"])


odd_values = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)
odd_lines = st.dictionaries(
    st.sampled_from(["event_id", "order_id", "stage", "carrier", "tracking_number", "event_ts", "promised_delivery_ts", "declared_value", "extra"]),
    odd_values | st.datetimes(timezones=st.timezones()).map(lambda d: d.isoformat()),
    max_size=4,
).map(lambda said: line(**said))  # fmt: skip


@given(st.lists(st.binary(max_size=60) | odd_lines | st.just(GOOD), max_size=8))
@example([b"\xef\xbb\xbf" + GOOD])
@example([b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\x1c"])
@settings(max_examples=100)
def test_every_line_that_is_not_blank_is_accepted_or_rejected_and_never_both(lines):
    written = [piece for raw in lines for piece in raw.split(b"\n")]
    events, rejected, unknown = taken(*lines)
    assert len(events) + len(rejected) == sum(1 for raw in written if raw.strip(b"\r\n \t"))
    assert {r.reason for r in rejected} <= REASONS.keys()
    assert [r.position for r in rejected] == sorted({r.position for r in rejected})
    assert unknown >= 0
