"""The vocabulary, events on their way, and rejections."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Event, EventBatch, WireEvent, pack_events, to_json, unpack_events
from schemas.rejections import REASONS, Rejected, rejection
from schemas.stages import CARRIER_STAGES, CLOSING_STAGES, RANK, STAGES, at_or_beyond
from tests.builders import MONDAY, event
from transforms.ingest.decode import decode
from transforms.ingest.validate import validate


def test_the_stages_of_the_contract():
    assert list(STAGES) == sorted(STAGES, key=RANK.__getitem__), "in the order of the way"
    assert set(STAGES) == set(
        [
            "picked",
            "packed",
            "labeled",
            "carrier_scanned",
            "in_transit",
            "out_for_delivery",
            "delivered",
            "failed",
            "hub_in",
            "hub_out",
            "attempt_failed",
            "available_for_pickup",
            "exception",
            "return_started",
            "returned",
            "lost",
            "cancelled",
        ]
    )
    assert len(set(RANK.values())) == len(RANK), "no two stages are equal"
    assert set(STAGES) - CARRIER_STAGES == {"picked", "packed", "labeled", "cancelled"}
    assert {"cancelled", "failed", "lost", "delivered", "return_started", "returned"} == CLOSING_STAGES


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_at_or_beyond_holds_every_closing_stage_and_never_trouble(stage):
    beyond = at_or_beyond(stage)
    assert beyond >= CLOSING_STAGES
    assert "exception" not in beyond
    assert all(RANK[s] >= RANK[stage] for s in beyond - CLOSING_STAGES)


texts = st.none() | st.text(min_size=1, max_size=8)
events = st.builds(
    event, stage=st.sampled_from(sorted(STAGES)), when=st.integers(MONDAY, MONDAY + 10**12), order=texts,
    waybill=st.text(min_size=1, max_size=8), id=st.text(min_size=1, max_size=8), hub=texts, reason=texts,
    promise=st.none() | st.integers(MONDAY, MONDAY + 10**12), value=st.none() | st.floats(0, 1e9), carrier=st.just("A"),
)  # fmt: skip


@given(st.lists(events, max_size=6))
@settings(max_examples=60)
def test_packed_events_come_back(some):
    assert unpack_events(pack_events(EventBatch(some))) == EventBatch(some)


@given(events)
@settings(max_examples=60)
def test_an_event_written_as_json_is_taken_in_as_the_same_event(one):
    assert validate(decode(to_json(one), 1 << 20)[0], MONDAY + 10**13) == one


def test_the_wire_has_the_fields_of_the_event():
    assert set(WireEvent.__struct_fields__) == set(Event.__struct_fields__)


def test_every_reason_is_worded_and_can_be_told_from_the_others_in_an_identity():
    assert all(text and not text.endswith(".") for text in REASONS.values())
    rows = {rejection(Rejected(reason), b"raw", "file", 1, 0).rejection_id for reason in REASONS}
    assert len(rows) == len(REASONS)


def test_a_rejection_is_plain_data():
    row = rejection(Rejected("too_deep", "why"), b"raw", "file", 7, MONDAY)
    assert msgspec.structs.astuple(row)[1:] == ("too_deep", "why", b"raw", 3, "file", 7, MONDAY)
