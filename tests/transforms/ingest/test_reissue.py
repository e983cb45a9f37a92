"""A reissued waybill: what follows of its successor, from the event that names it alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import EventBatch, to_json, unpack_events
from schemas.fields import DAY
from schemas.lines import KNOWN, LineBlock
from schemas.policy import Intake, Policy
from tests.builders import MONDAY, event, fresh
from transforms.ingest.reissue import labels
from transforms.ingest.take_in import TakeInFn
from transforms.watch.tracker import Tracker


def reissued(when="10:00", order="o1", waybill="t1", successor="t2", **said):
    """Give the event by which a waybill is reissued."""
    return event("cancelled", when, order, waybill, successor=successor, reason="retailer_reissued", **said)


def test_the_successor_is_labeled_for_the_same_order_at_that_time():
    told = {"customer": "c1", "warehouse": "w1", "carrier": "ups", "promise": "3d 18:00", "value": 900.0,
            "origin": "GJ", "dest": "MH", "currency": "INR", "received": "10:01"}  # fmt: skip
    (label,) = labels([reissued(hub="AMD", **told)])
    assert label == event("labeled", "10:00", "o1", "t2", id=label.event_id, **told)


@pytest.mark.parametrize("silent", [reissued(order=None, carrier="ups"), reissued(successor=None)])
def test_nothing_follows_without_an_order_or_a_successor(silent):
    assert labels([silent]) == []


@given(st.lists(st.text(min_size=1, max_size=256), unique=True, max_size=5))
def test_ids_follow_from_ids_differ_as_they_do_and_are_never_too_long(ids):
    found = [label.event_id for label in labels([reissued(id=one) for one in ids])]
    assert found == [label.event_id for one in ids for label in labels([reissued(id=one)])]
    assert len(set(found)) == len(ids) and all(len(one) <= 256 for one in found)


@given(st.permutations([0, 1, 2, 3]), st.booleans())
def test_in_any_order_the_old_one_is_closed_and_the_new_one_awaited(order, again):
    scan = event("carrier_scanned", "11:00", None, "t2", carrier="ups")
    told = [event("labeled", "09:00", carrier="ups"), scan, reissued(carrier="ups")]
    batches = [*fresh(told), *labels(told)]
    tracker = Tracker(Policy())
    for place in order + (order if again else []):
        tracker.take(EventBatch(fresh([batches[place]])))
    known = {waybill: orders["o1"].journey for waybill, orders in tracker.memory.parcels.items()}
    assert known["t1"].closed_ts == reissued().event_ts
    assert (known["t2"].closed_ts, known["t2"].first.keys()) == (None, {"labeled", "carrier_scanned"})
    assert tracker.memory.waiting == {}


@pytest.mark.parametrize(("source", "waybills"), [("events.jsonl", ["t1", "t2"]), (KNOWN, ["t1"])])
def test_what_a_lake_knows_has_its_label_already(source, waybills):
    block = LineBlock(source, 1, to_json(reissued(carrier="ups")), MONDAY)
    given = list(TakeInFn(Intake(), MONDAY + DAY).process(block))
    batches = [unpack_events(packed) for _, packed in (each for each in given if isinstance(each, tuple))]
    assert sorted(one.tracking_number for batch in batches for one in batch.events) == waybills
