"""Parcels come and go for days: what is remembered stays as small as what is open."""

from schemas.events import EventBatch
from schemas.fields import DAY, HOUR, MINUTE, SECOND
from schemas.policy import Memory, Policy
from schemas.settings import Duration
from tests.builders import MONDAY, event
from transforms.watch.tracker import Tracker

STAGES = ("picked", "packed", "labeled", "carrier_scanned", "out_for_delivery", "delivered")
DAYS = 200


def test_what_is_remembered_stays_flat_while_parcels_come_and_go():
    tracker = Tracker(Policy(), statuses=True)
    sizes, agendas, opened = [], [], []
    for day in range(DAYS):
        start = MONDAY + day * DAY
        # One of ten is never heard of again, which takes longest to be forgotten.
        for place, stage in enumerate(STAGES):
            parcels = [n for n in range(20) if place < 2 or n % 10]
            tracker.take(EventBatch([
                event(stage, start + place * HOUR + n * MINUTE, f"o{day}-{n}", f"t{day}-{n}") for n in parcels
            ]))  # fmt: skip
        opened.append(tracker.settle(start + DAY).open)
        sizes.append(len(tracker.dump()))
        agendas.append(len(tracker._agenda))
    half, end = DAYS * 3 // 4, DAYS - 1
    assert sizes[end] < sizes[half] * 1.02 and agendas[end] <= agendas[half] * 1.02
    assert opened[end] == opened[half] == 2 * 120
    fresh = Tracker(Policy(), statuses=True)
    fresh.load(tracker.dump())
    assert len(fresh.dump()) == sizes[end]


def test_what_was_awaited_of_parcels_that_are_over_is_not_kept_until_it_would_have_been_due():
    tracker = Tracker(Policy(memory=Memory(closed=Duration.of("10 s"))))
    for n in range(4_000):
        start = MONDAY + n * SECOND
        for place, stage in enumerate(STAGES):
            tracker.take(EventBatch([event(stage, start + place, f"o{n}", f"t{n}")]))
        tracker.settle(start)
    assert len(tracker.memory.parcels) <= 12
    assert len(tracker._agenda) <= 1_000
