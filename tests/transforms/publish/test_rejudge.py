"""Alerts of an earlier run are cleared or retracted by what a later run, which knows nothing of them, brings in."""

import pyarrow as pa
import pytest

from schemas.alerts import SILENT, raised
from schemas.events import EventBatch
from schemas.fields import to_batch
from schemas.policy import Policy
from schemas.tables import ALERTS, EVENTS
from tests.builders import at, event, fresh
from tests.transforms.publish.rows import add
from tests.transforms.watch.oracle import expected
from transforms.publish.commit import NO_ALERTS, commit
from transforms.publish.lake import Lake, connect
from transforms.publish.rejudge import rejudge
from transforms.watch.tracker import Tracker

HORIZON = at("5d 00:00")


@pytest.fixture
def lake(tmp_path):
    """A lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)


def run(lake, *events):
    """Run once from nothing over some events, as the live graph would, up to the horizon."""
    delta = lake.delta(ALERTS)
    tracker = Tracker(Policy())
    first, last = tracker.take(EventBatch(fresh(events))), tracker.settle(HORIZON)
    rows = [("events", to_batch(first.events, EVENTS.row_schema))]
    rows += [("alerts", to_batch(news.alerts, ALERTS.row_schema)) for news in (first, last) if news.alerts]
    return commit(lake, rows, Policy(), NO_ALERTS if delta is None else delta.version())


def current(lake):
    """Give the current alerts of the lake."""
    with connect() as db:
        return set(
            db.execute(
                f"""select order_id, tracking_number, kind, epoch_us(due_ts), state, epoch_us(state_ts)
                    from {lake.rows(ALERTS)} qualify row_number() over (partition by alert_id
                    order by list_position(['raised', 'cleared', 'retracted'], state) desc, state_ts) = 1
                    and state <> 'retracted'"""
            ).fetchall()
        )


PICKED, PACKED_LATE, PACKED = event("picked", "09:00"), event("packed", "10:00"), event("packed", "09:10")
PROMISED, DELIVERED = event("in_transit", "10:00", promise="18:00"), event("delivered", "20:00")
TROUBLE = event("exception", "12:00", reason="carrier_damaged")


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([[PICKED], [PACKED_LATE]], id="what was awaited comes, late"),
        pytest.param([[PICKED], [PACKED]], id="what was awaited had come in time"),
        pytest.param([[PICKED], [PACKED_LATE], [PACKED]], id="first late, then in time after all"),
        pytest.param([[PROMISED], [DELIVERED]], id="delivered late"),
        pytest.param([[PROMISED, TROUBLE], [event("cancelled", "11:00")]], id="nobody had waited"),
        pytest.param([[PROMISED], [event("labeled", "08:00", promise="3d 18:00"), event("carrier_scanned", "08:30")]], id="an earlier promise"),
        pytest.param([[PICKED], [event("picked", "08:00"), event("packed", "08:10")]], id="the clock had started earlier"),
        pytest.param([[PICKED], [event("picked", waybill="t2")]], id="another parcel changes nothing"),
        pytest.param([[PICKED], [PICKED]], id="the same again"),
    ],
)  # fmt: skip
def test_runs_one_after_another_leave_the_alerts_of_one_run_over_all(lake, runs):
    for events in runs:
        run(lake, *events)
    assert current(lake) == expected([e for events in runs for e in events], HORIZON)


def test_doing_it_again_changes_nothing(lake):
    run(lake, PICKED, PROMISED)
    assert run(lake, PACKED_LATE, DELIVERED)["alerts_rejudged"] > 0
    before = current(lake)
    assert run(lake, PACKED_LATE, DELIVERED).get("alerts_rejudged", 0) == 0
    assert current(lake) == before


def touched(*parcels):
    """Name parcels."""
    return pa.table({"order_id": [o for o, _ in parcels], "tracking_number": [t for _, t in parcels]})


def test_without_earlier_alerts_there_is_nothing_to_judge(lake):
    assert rejudge(lake, 0, touched(("o1", "t1")), Policy()) is None


def test_only_parcels_that_are_touched_are_judged(lake):
    run(lake, PICKED)
    add(lake, EVENTS, [PACKED])
    assert rejudge(lake, 0, touched(("o1", "t2"), ("o2", "t1")), Policy()) is None
    assert rejudge(lake, 0, touched(("o1", "t1"), ("o1", "t1")), Policy()).num_rows == 1


def test_an_alert_that_was_retracted_is_left_alone(lake):
    run(lake, PICKED)
    run(lake, PACKED)
    add(lake, EVENTS, [PACKED_LATE])
    assert rejudge(lake, lake.delta(ALERTS).version(), touched(("o1", "t1")), Policy()) is None


def test_facts_are_written_before_what_is_concluded_from_them(lake):
    added = run(lake, PICKED)
    assert list(added) == ["events", "milestones", "alerts"]
    assert added == {"events": 1, "milestones": 1, "alerts": 1}


def test_a_commit_that_was_cut_off_is_completed_by_doing_it_again(lake):
    add(lake, EVENTS, [PICKED])
    assert run(lake, PICKED) == {"events": 0, "milestones": 1, "alerts": 1}


def test_silence_of_an_earlier_run_ends_with_the_next_scan(lake):
    heard = event("hub_in", "09:00", value=900.0)
    add(lake, EVENTS, [heard])
    add(lake, ALERTS, [raised("o1", "t1", SILENT, at("21:00"), "")])
    run(lake, event("hub_out", "1d 09:00"))
    assert current(lake) == {("o1", "t1", SILENT, at("21:00"), "cleared", at("1d 09:00"))}
