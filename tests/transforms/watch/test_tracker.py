"""The tracker tells the same in the end, however events come in and whenever it is woken."""

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import EventBatch
from schemas.fields import DAY, HOUR, MINUTE
from schemas.policy import Intake, Memory, Policy
from schemas.settings import Duration
from schemas.stages import CARRIER_STAGES, STAGES
from tests.builders import MONDAY, at, current, event, fresh
from tests.transforms.watch.oracle import expected
from transforms import agenda
from transforms.visits.bursts import join
from transforms.watch.tracker import Tracker

HORIZON = at("5d 00:00")
GAP = Policy().visits.gap


@st.composite
def histories(draw):
    """A few parcels' events over four days. Promises never come back to an earlier value (see test_seed_defects)."""
    count = draw(st.integers(1, 14))
    return [
        event(
            draw(st.sampled_from(sorted(STAGES))),
            MONDAY + draw(st.integers(0, 4 * 24 * 4)) * 15 * MINUTE,
            order=draw(st.sampled_from(["o1", "o2"])),
            waybill=draw(st.sampled_from(["t1", "t2"])),
            carrier=draw(st.sampled_from([None, "A"])),
            reason=draw(st.sampled_from([None, "carrier_damaged"])),
            value=draw(st.sampled_from([None, 20.0, 700.0])),
            promise=draw(st.sampled_from([None, MONDAY + 2 * DAY + number * HOUR])),
            id=f"e{number}",
        )
        for number in range(count)
    ]


@st.composite
def tellings(draw):
    """Events shuffled, repeated and cut into batches; before each batch, perhaps a time the watermark has passed."""
    history = draw(histories())
    told = draw(st.permutations(history + draw(st.lists(st.sampled_from(history), max_size=6))))
    steps = []
    while told:
        size = draw(st.integers(1, 5))
        watermark = draw(st.none() | st.integers(0, 5 * 24).map(lambda n: MONDAY + n * HOUR))
        steps.append((watermark, told[:size]))
        told = told[size:]
    return history, steps


def run(steps, *, policy=None, horizon=HORIZON, pause=None):
    """Feed a tracker and settle it at the end; `pause` makes another tracker of it before each step."""
    tracker = Tracker(policy or Policy())
    rows, events, visits = [], [], []
    for watermark, batch in [*steps, (horizon, [])]:
        if pause:
            tracker = pause(tracker)
        for news in (
            *([] if watermark is None else [tracker.settle(watermark)]),
            *([tracker.take(EventBatch(fresh(batch)))] if batch else []),
        ):
            rows += news.alerts
            events += news.events
            visits += news.visits
    return rows, events, visits


def move(tracker):
    """Dump a tracker and load the dump into another."""
    other = Tracker(tracker.policy)
    other.load(tracker.dump())
    return other


@given(tellings())
@settings(max_examples=100)
def test_current_alerts_follow_from_the_set_of_events_and_the_horizon(telling):
    history, steps = telling
    rows, events, _ = run(steps)
    assert current(rows, HORIZON) == expected(history, HORIZON)
    assert sorted(e.event_id for e in events) == sorted(e.event_id for e in history), "each event is accepted once"


@given(tellings())
@settings(max_examples=50)
def test_dumping_and_loading_at_any_moment_changes_nothing(telling):
    _, steps = telling
    assert run(steps, pause=move) == run(steps)


@given(tellings())
@settings(max_examples=50)
def test_looking_through_the_agenda_at_any_moment_changes_nothing(telling):
    _, steps = telling
    with mock.patch.object(agenda, "FEW", 0):
        looked = run(steps)
    assert looked == run(steps)


@given(tellings(), st.data())
@settings(max_examples=150)
def test_what_a_lost_life_told_is_taken_back_where_it_is_not_true(telling, data):
    """A life is cut off after its checkpoint; the next one gets the same events in other pieces, at other times."""
    history, steps = telling
    kept = data.draw(st.integers(0, len(steps)))
    rows, tracker = [], Tracker(Policy())
    for watermark, batch in steps[:kept]:
        rows += [] if watermark is None else tracker.settle(watermark).alerts
        rows += tracker.take(EventBatch(fresh(batch))).alerts
    dumped = tracker.dump()
    for watermark, batch in steps[kept : data.draw(st.integers(kept, len(steps)))]:
        rows += tracker.take(EventBatch(fresh(batch))).alerts
        rows += [] if watermark is None else tracker.settle(watermark).alerts
    next_life = Tracker(Policy())
    next_life.load(dumped)
    next_life.doubt(HORIZON)
    left = [one for _, batch in steps[kept:] for one in batch]
    while left:
        size = data.draw(st.integers(1, len(left)))
        rows += next_life.take(EventBatch(fresh(left[:size]))).alerts
        left = left[size:]
        if data.draw(st.booleans()):
            rows += next_life.settle(MONDAY + data.draw(st.integers(0, 5 * 24)) * HOUR).alerts
            next_life = move(next_life)
    rows += next_life.settle(HORIZON).alerts
    assert current(rows, HORIZON) == expected(history, HORIZON)


def test_a_scan_that_the_lost_life_waited_for_takes_back_what_it_told():
    tracker = Tracker(Policy())
    take(tracker, event("labeled", "09:00"))
    dumped = tracker.dump()
    (raised,) = tracker.settle(at("12:00")).alerts
    next_life = Tracker(Policy())
    next_life.load(dumped)
    next_life.doubt(at("12:00"))
    (told,) = take(next_life, event("carrier_scanned", "10:00")).alerts
    assert (told.alert_id, told.state) == (raised.alert_id, "retracted")
    assert take(next_life, event("in_transit", "10:30")).alerts == [] == next_life.settle(at("12:00")).alerts


def test_without_a_lost_life_nothing_is_taken_back():
    tracker = move(Tracker(Policy()))
    assert take(tracker, event("labeled", "09:00"), event("carrier_scanned", "10:00")).alerts == []


@given(tellings())
@settings(max_examples=50)
def test_pieces_of_visits_join_to_the_visits_of_all_scans(telling):
    history, steps = telling
    _, _, pieces = run(steps)
    values = {}
    for e in history:
        values[e.order_id, e.tracking_number] = max(
            values.get((e.order_id, e.tracking_number), 0), e.declared_value or 0
        )
    for parcel, value in values.items():
        mine = [e for e in history if (e.order_id, e.tracking_number) == parcel and e.stage in CARRIER_STAGES]
        joined = join([p for p in pieces if (p.order_id, p.tracking_number) == parcel and p.events], GAP)
        assert sum(v.events for v in joined) == (len(mine) if value >= 500 else 0)
        if value >= 500 and mine:
            assert (joined[0].start_ts, joined[-1].end_ts) == (
                min(e.event_ts for e in mine), max(e.event_ts for e in mine),
            )  # fmt: skip


@given(tellings())
@settings(max_examples=50)
def test_waking_only_when_asked_to_misses_nothing(telling):
    history, steps = telling
    tracker = Tracker(Policy())
    rows = [row for _, batch in steps for row in tracker.take(EventBatch(fresh(batch))).alerts]
    while (wake := tracker.next_wake()) is not None and wake <= HORIZON:
        rows += tracker.settle(wake).alerts
    assert current(rows, HORIZON) == expected(history, HORIZON)


def take(tracker, *events):
    """Feed one batch."""
    return tracker.take(EventBatch(fresh(events)))


def test_an_absence_is_told_when_the_watermark_passes_its_due_time():
    tracker = Tracker(Policy())
    assert take(tracker, event("picked", "09:00")).alerts == []
    assert tracker.next_wake() == at("09:30")
    assert tracker.settle(at("09:29")).alerts == []
    assert [row.kind for row in tracker.settle(at("09:30")).alerts] == ["pick_pack_delay"]
    assert tracker.settle(at("10:00")).alerts == [], "once"


def test_what_comes_late_clears_and_what_was_late_in_coming_retracts():
    tracker = Tracker(Policy())
    take(tracker, event("picked", "09:00"))
    tracker.settle(at("12:00"))
    (row,) = take(tracker, event("packed", "10:00")).alerts
    assert (row.state, row.state_ts) == ("cleared", at("10:00"))
    (row,) = take(tracker, event("packed", "09:20")).alerts
    assert (row.state, row.state_ts) == ("retracted", at("12:00"))


def test_a_redelivery_is_counted_and_changes_nothing():
    tracker = Tracker(Policy())
    first = take(tracker, event("exception"), event("exception"))
    again = take(tracker, event("exception"))
    assert (len(first.events), first.repeated, len(again.events), again.repeated, again.alerts) == (1, 1, 0, 1, [])


def test_two_waybills_of_one_order_are_two_parcels():
    tracker = Tracker(Policy())
    take(tracker, event("picked", waybill="t1"), event("picked", waybill="t2"), event("packed", "09:10", waybill="t2"))
    assert [row.tracking_number for row in tracker.settle(HORIZON).alerts] == ["t1"]


class TestWaybillsWithoutAnOrder:
    """An event of a carrier that does not know the shop's order."""

    SCAN = dict(order=None, carrier="A")

    def test_waits_until_an_event_tells_the_order(self):
        tracker = Tracker(Policy())
        assert take(tracker, event("hub_in", "10:00", **self.SCAN)).events == []
        news = take(tracker, event("labeled", "09:00", carrier="A"))
        assert [(e.stage, e.order_id) for e in news.events] == [("labeled", "o1"), ("hub_in", "o1")]

    def test_is_taken_at_once_when_the_order_is_known(self):
        tracker = Tracker(Policy())
        take(tracker, event("labeled", carrier="A"))
        assert [e.order_id for e in take(tracker, event("hub_in", "10:00", **self.SCAN)).events] == ["o1"]

    def test_waits_for_an_event_that_names_its_carrier(self):
        tracker = Tracker(Policy())
        take(tracker, event("picked"))
        assert take(tracker, event("hub_in", "10:00", **self.SCAN)).events == []
        assert take(tracker, event("labeled", "09:10", carrier="B")).events != []
        assert take(Tracker(Policy()), event("labeled", "09:10", carrier="A")).unresolved == []
        assert "t1" in tracker.memory.waiting, "another carrier's waybill of the same number is another waybill"

    def test_said_twice_waits_once(self):
        tracker = Tracker(Policy())
        take(tracker, event("hub_in", **self.SCAN), event("hub_in", **self.SCAN))
        assert len(take(tracker, event("labeled", "08:00", carrier="A")).events) == 2

    def test_is_given_up_after_the_wait_and_not_before(self):
        tracker = Tracker(Policy())
        take(tracker, event("hub_in", "09:00", **self.SCAN), event("hub_out", "10:00", **self.SCAN))
        assert tracker.settle(at("3d 08:59")).unresolved == []
        assert [e.event.stage for e in tracker.settle(at("3d 09:00")).unresolved] == ["hub_in"]
        assert [e.event.stage for e in move(tracker).settle(at("3d 10:00")).unresolved] == ["hub_out"]

    def test_the_wait_is_the_policys(self):
        tracker = Tracker(Policy(intake=Intake(waybill_wait=Duration.of("1 h"))))
        take(tracker, event("hub_in", "09:00", **self.SCAN))
        assert [e.event.stage for e in tracker.settle(at("10:00")).unresolved] == ["hub_in"]
        assert tracker.next_wake() is None

    def test_a_recycled_waybill_belongs_to_the_order_that_had_begun_last(self):
        tracker = Tracker(Policy())
        take(
            tracker, event("labeled", "0d 09:00", "old", carrier="A"), event("labeled", "30d 09:00", "new", carrier="A")
        )
        taken = take(
            tracker,
            *(event("hub_in", when, **self.SCAN) for when in ("1d 09:00", "29d 09:00", "30d 09:00", "31d 09:00")),
        )
        assert [e.order_id for e in taken.events] == ["old", "old", "new", "new"]

    def test_a_scan_before_any_order_began_belongs_to_the_first(self):
        tracker = Tracker(Policy())
        take(
            tracker,
            event("labeled", "1d 09:00", "first", carrier="A"),
            event("labeled", "9d 09:00", "next", carrier="A"),
        )
        assert [e.order_id for e in take(tracker, event("hub_in", "09:00", **self.SCAN)).events] == ["first"]

    def test_a_scan_that_comes_in_late_is_not_given_up_before_it_could_be_answered(self):
        tracker = Tracker(Policy())
        tracker.settle(at("9d 00:00"))
        take(tracker, event("hub_in", "09:00", **self.SCAN))
        assert tracker.settle(at("9d 00:01")).unresolved == []


class TestForgetting:
    """State is bounded by the parcels that are open or were so lately."""

    POLICY = Policy(memory=Memory(closed=Duration.of("10 d"), silent=Duration.of("20 d")))

    def remembered(self, *events, until):
        """Tell whether anything is in mind."""
        tracker = Tracker(self.POLICY)
        take(tracker, *events)
        while (wake := tracker.next_wake()) is not None and wake <= until:
            tracker.settle(wake)
        return bool(tracker.memory.parcels)

    def test_a_closed_parcel_is_forgotten_after_its_time(self):
        assert self.remembered(event("delivered"), until=at("10d 08:59"))
        assert not self.remembered(event("delivered"), until=at("10d 09:00"))

    def test_a_silent_parcel_is_forgotten_later(self):
        assert self.remembered(event("in_transit"), until=at("20d 08:59"))
        assert not self.remembered(event("in_transit"), until=at("20d 09:00"))

    def test_an_event_keeps_the_parcel_in_mind(self):
        assert self.remembered(event("in_transit"), event("hub_in", "9d 09:00"), until=at("29d 08:59"))

    def test_one_order_of_a_waybill_is_forgotten_without_the_other(self):
        tracker = Tracker(self.POLICY)
        take(tracker, event("delivered", order="old"), event("delivered", "5d 09:00", order="new"))
        tracker.settle(at("10d 09:00"))
        assert list(tracker.memory.parcels["t1"]) == ["new"]

    def test_what_was_due_before_it_is_forgotten_is_told(self):
        tracker = Tracker(self.POLICY)
        take(tracker, event("picked", "09:00"))
        news = tracker.settle(at("40d 00:00"))
        assert [row.kind for row in news.alerts] == ["pick_pack_delay"], "the replay's grid is coarse"

    def test_a_promise_keeps_an_open_parcel_in_mind(self):
        tracker = Tracker(self.POLICY)
        take(tracker, event("labeled", "09:00", promise="30d 18:00"), event("carrier_scanned", "09:30"))
        rows = []
        while (wake := tracker.next_wake()) is not None:
            rows += tracker.settle(wake).alerts
        assert {row.kind for row in rows} == {"sla_at_risk", "sla_breached"}


class TestPromiseThatComesBack:
    """Earlier and earlier events change the promise and change it back."""

    def test_an_alert_that_was_retracted_and_is_true_again_holds(self):
        told = [
            event("in_transit", "12:00", promise="1d 18:00", id="third"),
            event("carrier_scanned", "11:00", promise="2d 18:00", id="second"),
            event("labeled", "10:30", promise="1d 18:00", id="first"),
        ]
        rows, _, _ = run([(at("4d 00:00"), [one]) for one in told])
        assert current(rows, HORIZON) == expected(told, HORIZON)


def test_a_parcel_that_becomes_valuable_late_hands_over_all_its_scans():
    tracker = Tracker(Policy())
    assert take(tracker, event("hub_in", "09:00", hub="h1")).visits == []
    (piece,) = take(tracker, event("hub_out", "10:00", hub="h2", value=500.0)).visits
    assert (piece.start_ts, piece.end_ts, piece.events, piece.hubs) == (at("09:00"), at("10:00"), 2, ["h1", "h2"])
    assert take(tracker, event("packed", "08:00")).visits == [], "the warehouse's events are no visits"


def test_the_closing_is_told_to_the_visits_even_when_it_is_no_scan():
    tracker = Tracker(Policy())
    take(tracker, event("hub_in", "09:00", value=900.0))
    (notice,) = take(tracker, event("cancelled", "12:00")).visits
    assert (notice.events, notice.ended_ts) == (0, at("12:00"))
    (notice,) = take(tracker, event("cancelled", "11:00")).visits
    assert notice.ended_ts == at("11:00")
    assert take(tracker, event("cancelled", "13:00")).visits == []
