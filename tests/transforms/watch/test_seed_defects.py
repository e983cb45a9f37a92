"""The defects of the seed's SQL, each shown on the seed's own views, next to what our rules say of the same events.

The views below are the seed's, re-written for DuckDB; `now()` is a parameter. D2 and D8 are defects of reports.
"""

import duckdb
import pytest

from schemas.events import EventBatch
from schemas.fields import HOUR
from schemas.policy import Policy
from tests.builders import at, current, event, fresh, journey
from transforms.follow.journey import current_stage, delivered_at, sla_status
from transforms.visits.bursts import VALUABLE, bursts
from transforms.visits.silence import SilenceWatcher
from transforms.watch.tracker import Tracker

AT_RISK = 4 * HOUR

STATUS = """
create view order_fulfillment_status as
select order_id, customer_id, warehouse_id, carrier, tracking_number,
    max(event_ts) filter (stage = 'picked') as picked_at,
    max(event_ts) filter (stage = 'packed') as packed_at,
    max(event_ts) filter (stage = 'labeled') as labeled_at,
    max(event_ts) filter (stage = 'carrier_scanned') as carrier_scanned_at,
    max(event_ts) filter (stage = 'delivered') as delivered_at,
    max(promised_delivery_ts) as promised_delivery_ts,
    arg_max(stage, event_ts) as current_stage,
    (packed_at - picked_at) / 6e7 as pick_to_pack_minutes,
    -- "time from pack to carrier scan"
    (carrier_scanned_at - labeled_at) / 6e7 as label_to_scan_minutes
from events group by all"""

BREACHES = """
create macro sla_breach_alerts(now) as table
select order_id, current_stage, carrier, promised_delivery_ts,
    case
        when delivered_at > promised_delivery_ts then 'breached'
        when delivered_at is null and now > promised_delivery_ts then 'breached'
        when delivered_at is null and now > promised_delivery_ts - 14400000000 then 'at_risk'
        else 'on_track'
    end as sla_status
from order_fulfillment_status where current_stage <> 'delivered'"""


def seed(*events):
    """Load events into the seed's views."""
    db = duckdb.connect()
    db.execute(
        """create table events (order_id text, customer_id text, warehouse_id text, carrier text,
           tracking_number text, stage text, promised_delivery_ts bigint, event_ts bigint)"""
    )
    names = (
        "order_id",
        "customer_id",
        "warehouse_id",
        "carrier",
        "tracking_number",
        "stage",
        "promised_delivery_ts",
        "event_ts",
    )
    db.executemany(
        f"insert into events values ({', '.join('?' * len(names))})", [[getattr(e, n) for n in names] for e in events]
    )
    db.execute(STATUS)
    db.execute(BREACHES)
    return db


def status(db, column):
    """Give one column of the seed's status."""
    return [value for (value,) in db.execute(f"select {column} from order_fulfillment_status order by all").fetchall()]


def breaches(db, now):
    """Give (order, status) of the seed's alerts at a time."""
    return db.execute("select order_id, sla_status from sla_breach_alerts(?) order by all", [at(now)]).fetchall()


def ours(*events, until):
    """Give (waybill, kind, state) of our current alerts, fed event by event as time goes by."""
    tracker, rows = Tracker(Policy()), []
    for one in sorted(fresh(events), key=lambda e: e.event_ts):
        rows += tracker.settle(one.event_ts).alerts
        rows += tracker.take(EventBatch([one])).alerts
    rows += tracker.settle(at(until)).alerts
    return {(row[1], row[2], row[4]) for row in current(rows, at(until))}


def test_d1_a_breach_is_remembered_after_the_delivery():
    told = [event("out_for_delivery", "09:00", promise="18:00"), event("delivered", "20:00", promise="18:00")]
    assert breaches(seed(told[0]), "19:00") == [("o1", "breached")]
    assert breaches(seed(*told), "21:00") == [], "the seed's row vanishes with the delivery"
    assert ("t1", "sla_breached", "cleared") in ours(*told, until="21:00")
    assert sla_status(journey(*told), at("21:00"), AT_RISK) == "late"


def test_d3_a_later_more_lenient_promise_does_not_count():
    told = [event("picked", "09:00", promise="18:00"), event("in_transit", "12:00", promise="3d 18:00")]
    assert breaches(seed(*told), "20:00") == [("o1", "on_track")]
    assert sla_status(journey(*told), at("20:00"), AT_RISK) == "breached"
    assert ("t1", "sla_breached", "raised") in ours(*told, until="20:00")


def test_d4_a_scan_stamped_after_the_delivery_moves_nothing_back():
    told = [event("delivered", "12:00", promise="18:00"), event("in_transit", "12:05", promise="18:00")]
    assert status(seed(*told), "current_stage") == ["in_transit"]
    assert breaches(seed(*told), "19:00") == [("o1", "on_track")], "and the parcel is back among the open ones"
    assert current_stage(journey(*told)) == "delivered"
    assert ours(*told, until="19:00") == set()


def test_d5_split_shipments_do_not_overwrite_one_another():
    told = [
        event("picked", "09:00", waybill="t1", promise="18:00"),
        event("delivered", "17:00", waybill="t1", promise="18:00"),
        event("picked", "09:00", waybill="t2", promise="18:00"),
    ]
    db = seed(*told)
    db.execute(
        "create table order_fulfillment_live (order_id text primary key, tracking_number text, current_stage text)"
    )
    for waybill in ("t1", "t2"):
        db.execute(
            """insert or replace into order_fulfillment_live
               select order_id, tracking_number, current_stage from order_fulfillment_status where tracking_number = ?""",
            [waybill],
        )
    rows = db.execute("from order_fulfillment_live").fetchall()
    assert rows == [("o1", "t2", "picked")], "the seed's sink keeps one parcel of the two"
    tracker = Tracker(Policy())
    tracker.take(EventBatch(fresh(told)))
    found = {number: current_stage(orders["o1"].journey) for number, orders in tracker.memory.parcels.items()}
    assert found == {"t1": "delivered", "t2": "picked"}


def test_d5_an_attribute_that_changes_does_not_split_the_parcel():
    told = [event("picked", "09:00", warehouse="w1"), event("delivered", "12:00", carrier="A")]
    assert status(seed(*told), "delivered_at") == [at("12:00"), None], "the seed sees two parcels"
    whole = journey(*told)
    assert (whole.warehouse_id, whole.carrier, delivered_at(whole)) == ("w1", "A", at("12:00"))


def test_d6_a_duplicate_delivery_does_not_move_its_time():
    told = [event("delivered", "17:00", promise="18:00"), event("delivered", "19:00", promise="18:00")]
    assert status(seed(*told), "delivered_at") == [at("19:00")]
    assert delivered_at(journey(*told)) == at("17:00")
    assert sla_status(journey(*told), at("20:00"), AT_RISK) == "on_time"


def test_d7_the_wait_for_the_scan_starts_at_the_label_and_says_so():
    told = [event("packed", "08:00"), event("labeled", "11:00"), event("carrier_scanned", "12:00")]
    pack_to_scan = (at("12:00") - at("08:00")) / 6e7
    assert status(seed(*told), "label_to_scan_minutes") == [60.0] != [pack_to_scan], "not what the comment says"
    assert ours(*told, until="1d 00:00") == set(), "four hours after the pack, one after the label"
    late = event("carrier_scanned", "13:30")
    assert ours(*told[:2], late, until="1d 00:00") == {("t1", "label_scan_delay", "cleared")}


@pytest.mark.parametrize("stage", ["failed", "lost", "cancelled", "return_started", "returned"])
def test_d9_what_failed_or_went_back_is_not_on_track(stage):
    told = [event("in_transit", "09:00", promise="1d 18:00"), event(stage, "12:00", promise="1d 18:00")]
    db = seed(*told)
    assert breaches(db, "13:00") == [("o1", "on_track")]
    assert breaches(db, "1d 15:00") == [("o1", "at_risk")]
    for when in ("13:00", "1d 15:00", "2d 00:00"):
        assert sla_status(journey(*told), at(when), AT_RISK) == stage
    assert ours(*told, until="2d 00:00") == set()


def test_d10_silence_of_a_valuable_parcel_is_seen_without_hub_scans():
    told = [event("carrier_scanned", "09:00", value=800.0, promise="4d 18:00")]
    assert breaches(seed(*told), "1d 09:00") == [("o1", "on_track")]
    tracker, watcher = Tracker(Policy()), SilenceWatcher(Policy())
    (piece,) = tracker.take(EventBatch(fresh(told))).visits
    assert watcher.take([piece]) == []
    piece.closed = True
    (row,) = watcher.take([piece])
    assert (row.kind, row.due_ts) == ("silent_high_value", at("21:00"))


def test_d10_hub_scans_of_the_night_show_that_there_was_no_silence():
    watcher = SilenceWatcher(Policy())
    scans = [s for when in ("09:00", "18:00", "1d 03:00") for s in journey(event("hub_in", when)).scans]
    (live,) = bursts("o1", "t1", scans[:1], Policy().visits.gap)
    live.closed, live.visit_id = True, VALUABLE
    assert [row.state for row in watcher.take([live])] == ["raised"]
    rows = watcher.take(bursts("o1", "t1", scans[1:], Policy().visits.gap))
    assert [row.state for row in rows] == ["retracted"]


@pytest.mark.parametrize(
    ("anchor", "kind", "due"),
    [
        ("picked", "pick_pack_delay", "09:30"),
        ("labeled", "label_scan_delay", "11:00"),
        ("out_for_delivery", "last_mile_delay", "21:00"),
    ],
)
def test_d11_absence_is_told_with_no_event_after_the_anchor(anchor, kind, due):
    told = event(anchor, "09:00", promise="3d 18:00")
    db = seed(told)
    assert breaches(db, "1d 00:00") == [("o1", "on_track")], "the seed has nothing else to say of it"
    assert status(db, "pick_to_pack_minutes") == status(db, "label_to_scan_minutes") == [None]
    tracker = Tracker(Policy())
    tracker.take(EventBatch([told]))
    assert tracker.settle(at(due) - 1).alerts == []
    (row,) = tracker.settle(at(due)).alerts
    assert (row.kind, row.due_ts, row.state) == (kind, at(due), "raised")
