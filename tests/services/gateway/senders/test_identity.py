"""An event's id is made of what it says: the same however often it is sent again, and another one for all else."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import HOUR, parse_time
from services.gateway.senders.adapter import Scan
from tests.services.gateway.senders.world import NEW, NOW, TRIALS, changed, fixture, fixtures

KINDS = sorted({trial.kind for trial in TRIALS.values()})
ADAPTER = TRIALS["easypost"].sender(NEW)

SCANS = st.builds(
    Scan,
    carrier=st.sampled_from([None, "ups", "usps"]),
    tracking_number=st.text("AB1", min_size=1, max_size=3),
    code=st.lists(st.text("ab/", max_size=2), min_size=2, max_size=2).map(tuple),
    ts=st.integers(parse_time("2026-03-02T10:00:00Z"), parse_time("2026-03-02T10:00:01Z")),
    place=st.sampled_from([None, "A", "B"]),
    order_id=st.none(),
    promise=st.none(),
    returning=st.just(False),
    doubtful=st.just(False),
)


def ids(parsed):
    """Give the ids of the events."""
    return [event.event_id for event in parsed.events]


def parts(parsed):
    """Give the ids of the events that entries tell, and the times of the reissues."""
    told = [event.event_id for event in parsed.events if event.successor is None]
    return told, [event.event_ts for event in parsed.events if event.successor is not None]


@given(one=SCANS, other=SCANS)
def test_two_entries_have_one_id_only_if_they_say_the_same(one, other):
    first, second = (ADAPTER._event(scan, "delivered", None, NOW).event_id for scan in (one, other))
    assert (first == second) == (one == other)


@given(scan=SCANS)
def test_a_code_that_says_two_things_makes_two_events(scan):
    stages = ["delivered", "exception"]
    assert len({ADAPTER._event(scan, stage, None, NOW).event_id for stage in stages}) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_body_later_gives_the_same_ids(kind):
    for body in fixtures(kind):
        again = json.dumps(json.loads(body), indent=3).encode()
        once, later = TRIALS[kind].sender(NEW), TRIALS[kind].sender("another secret")
        if kind != "aftership" or b"LOUISVILLE" not in body:
            assert ids(once.parse(body, NOW)) == ids(later.parse(again, NOW + 60 * HOUR)) != []


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("easypost", ("result", "tracking_details")),
        ("aftership", ("msg", "checkpoints")),
        ("shippo", ("data", "tracking_history")),
        ("shipengine", ("data", "events")),
        ("shiprocket", ("scans",)),
        ("seventeen_track", ("data", "track_info", "tracking", "providers", 0, "events")),
        ("generic", ("data", "scans")),
    ],
)
def test_a_history_that_grows_gives_the_ids_it_gave_before(kind, way):
    sender = TRIALS[kind].sender(NEW)
    payload = json.loads(fixture(kind))
    holder = payload
    for step in way[:-1]:
        holder = holder[step]
    history = holder[way[-1]]
    whole, reissued = parts(sender.parse(fixture(kind), NOW))
    so_far = []
    for length in range(len(history)):
        holder[way[-1]] = history[:length]
        found, times = parts(sender.parse(json.dumps(payload).encode(), NOW))
        assert set(found) <= set(whole)
        so_far += times
    # A reissue has no time of its own: of those told the first is the earliest, which counts.
    assert [*so_far, *reissued] == sorted([*so_far, *reissued])
    holder[way[-1]] = random.Random(0).sample(history, len(history)) + history
    again, times = parts(sender.parse(json.dumps(payload).encode(), NOW))
    assert (sorted(again), times) == (sorted(whole), reissued)


@pytest.mark.parametrize(
    "field", [{"AWB": "19041424751542"}, {"Status__StatusDateTime": "2026-03-06T16:01:30.123"},
              {"Status__StatusLocation": "Pune"}, {"NSLCode": "EOD-39"}], ids=str
)  # fmt: skip
def test_another_waybill_time_place_or_code_is_another_event(field):
    sender = TRIALS["delhivery"].sender(NEW)
    other = changed("delhivery", **{f"Shipment__{name}": value for name, value in field.items()})
    assert ids(sender.parse(fixture("delhivery"), NOW)) != ids(sender.parse(other, NOW))


def test_what_does_not_belong_to_an_event_does_not_change_its_id():
    sender = TRIALS["delhivery"].sender(NEW)
    other = changed("delhivery", Shipment__Status__Instructions="left at the door", Shipment__Sortcode="X")
    assert ids(sender.parse(fixture("delhivery"), NOW)) == ids(sender.parse(other, NOW))
