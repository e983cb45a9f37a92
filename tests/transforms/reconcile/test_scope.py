"""The scope of a night: what something new is known of, what time alone changes, and nothing else."""

import msgspec
import pytest
from deltalake import DeltaTable

from schemas.alerts import raised
from schemas.fields import HOUR, to_datetime
from schemas.night import Night
from schemas.policy import Policy, Visits
from schemas.rows import Finding, HubScan, Shipment
from schemas.settings import Duration
from schemas.tables import ALERTS, EVENTS, HUB_SCANS, NIGHTLY, RECONCILIATION, SHIPMENTS
from tests.builders import MONDAY, at, event
from tests.transforms.publish.rows import add, table_of
from transforms.hubs.stage import Partition
from transforms.publish.append import ZSTD, append
from transforms.publish.lake import Lake, connect
from transforms.publish.nights import finish
from transforms.reconcile.scope import find_scope

POLICY = Policy()
NONE = {name: None for name in Shipment.__struct_fields__}
STAGES = ("labeled", "carrier_scanned", "hub_in", "delivered")


def shipment(waybill, first, closed, outcome, scanned=None):
    """Give the row that a night concluded of a parcel."""
    known = {
        "order_id": f"o-{waybill}", "tracking_number": waybill, "first_event_ts": at(first), "last_event_ts": at(first),
        "events": 1, "hub_scans": 0, "hub_legs": 0, "attempts_failed": 0, "exceptions": 0, "current_stage": "delivered",
        "closed_at": closed and at(closed), "outcome": outcome, "first_scan_ts": scanned and at(scanned),
    }  # fmt: skip
    return Shipment(**NONE | known)


def events(waybill, day, stages):
    """Give the events of a parcel, an hour after one another."""
    return [
        event(stage, at("09:00", day) + n * HOUR, f"o-{waybill}", waybill, carrier="acme")
        for n, stage in enumerate(stages)
    ]


def scan(waybill, when):
    """Give a scan of a parcel."""
    return HubScan("acme", waybill, at(when), "AR", "AMD", "hub_in", None, "f")


def stray(waybill, when):
    """Give the finding that nobody knows whose a waybill is."""
    return Finding("acme", waybill, "unknown_waybill", "hub_in", None, None, at(when), 1, "", "", at(when))


def conclude(lake, tmp_path, policy=POLICY):
    """Finish a night over the lake as it stands."""
    scope = find_scope(lake, tmp_path, policy, [], [])
    versions = {
        one.name: DeltaTable(lake.uri(one)).version() for one in NIGHTLY if DeltaTable.is_deltatable(lake.uri(one))
    }
    with lake.writing():
        finish(lake, Night(versions, dict(scope.seen), scope.horizon, scope.rules))


@pytest.fixture
def lake(tmp_path):
    """A lake after a night: parcels that are done, one that is open, one in breach, and one that nobody knows."""
    lake = Lake(tmp_path / "lake").check(create=True)
    add(lake, EVENTS, [
        *events("done", 0, STAGES), *events("older", -9, STAGES), *events("labeled", 1, STAGES[:1]),
        *events("open", 2, STAGES[:2]), *events("breached", -3, STAGES), *events("now", 4, STAGES),
    ])  # fmt: skip
    add(lake, ALERTS, [raised("o-done", "done", "exception", at("10:00"), "")])
    add(
        lake,
        HUB_SCANS,
        [scan("older", "-8d 09:00"), scan("done", "10:00"), scan("unknown", "-5d 10:00"), scan("early", "4d 15:00")],
    )
    add(lake, RECONCILIATION, [stray("unknown", "-5d 10:00")])
    add(lake, SHIPMENTS, [
        shipment("done", "09:00", "12:00", "on_time", "10:00"),
        shipment("older", "-9d 09:00", "-9d 12:00", "late", "-8d 09:00"),
        shipment("labeled", "1d 09:00", "1d 10:00", "cancelled"),
        shipment("open", "2d 09:00", None, "no_promise"),
        shipment("breached", "-3d 09:00", "-3d 12:00", "breached"),
        shipment("now", "4d 09:00", "4d 12:00", "on_time"),
    ])  # fmt: skip
    conclude(lake, tmp_path)
    return lake


WAITING = {"open", "breached", "early"}
"""What time alone changes: an open parcel, one in breach, and a scan that is newer than every event."""


def touched(scope):
    """Give the waybills in scope; None for all."""
    if scope.everything:
        return None
    with connect() as db:
        return {name for (name,) in db.sql(f"from {scope.touched}").fetchall()}


def look(lake, tmp_path, *, changed=(), waybills=(), policy=POLICY, **said):
    """Find the scope of the next night."""
    listed = []
    if waybills:
        listed = [tmp_path / "changed.waybills"]
        with connect() as db:
            db.execute(f"copy (select unnest({[*waybills]}) as tracking_number) to '{listed[0]}' (format parquet)")
    return find_scope(lake, tmp_path, policy, [Partition(*one) for one in changed], listed, **said)


def check_whole(lake, scope):
    """Make sure that all that is known of the parcels in scope is in what the night looks at."""
    assert not scope.everything
    only = f"semi join {scope.touched} using (tracking_number)"
    with connect() as db:
        every = db.sql(f"select event_id from {lake.rows(EVENTS)} {only}").fetchall()
        found = db.sql(f"select event_id from {lake.rows(EVENTS, list(scope.events))} {only}").fetchall()
        assert sorted(found) == sorted(every)
        for table, day, since in (
            (HUB_SCANS, "service_date", scope.since),
            (RECONCILIATION, "service_date", scope.since),
            (SHIPMENTS, "first_event_date", scope.shipped_since),
            (EVENTS, "event_date", scope.shipped_since),
        ):
            assert db.sql(f"select * from {lake.rows(table)} {only} where {day} < '{since}'").fetchall() == []


def test_with_no_news_only_those_are_touched_that_time_changes(lake, tmp_path):
    scope = look(lake, tmp_path)
    assert touched(scope) == WAITING
    assert scope.horizon == at("4d 12:00")
    assert scope.seen == {"events": 0, "alerts": 0}
    assert (scope.shipped_since, scope.since) == (to_datetime(at("09:00", -3)).date(),) * 2
    assert len(scope.events) == 5, "the day of the oldest parcel is not looked into"
    check_whole(lake, scope)


NEWS = [
    pytest.param({EVENTS: events("done", 0, ["hub_out"])}, {"done"}, id="a late event of a parcel that was done"),
    pytest.param({EVENTS: events("older", 3, ["returned"])}, {"older"}, id="a new event of an old parcel"),
    pytest.param({EVENTS: events("unknown", 3, ["labeled"])}, {"unknown"}, id="an event tells whose a waybill is"),
    pytest.param({EVENTS: events("new", -20, ["labeled"])}, {"new"}, id="an old event of a parcel that nobody knew"),
    pytest.param({ALERTS: [raised("o-now", "now", "sla_breached", at("4d 10:00"), "")]}, {"now"}, id="a new alert"),
    pytest.param({EVENTS: events("done", 0, STAGES)}, set(), id="the same events again"),
]


@pytest.mark.parametrize(("news", "expected"), NEWS)
def test_what_is_new_on_the_live_side_is_touched(lake, tmp_path, news, expected):
    night = lake.night()
    for table, rows in news.items():
        with lake.writing():
            append(lake, table, table_of(table, rows))
    scope = look(lake, tmp_path)
    assert lake.night() == night
    assert touched(scope) == WAITING | expected
    check_whole(lake, scope)


@pytest.mark.parametrize(
    ("changed", "waybills", "expected"),
    [
        pytest.param([("2026-03-06", "acme")], ["older"], {"older", "now"}, id="a new file tells of an old parcel"),
        pytest.param([("2026-03-02", "acme")], ["unknown"], {"unknown", "done"}, id="who came live that day may lack"),
        pytest.param([("2026-03-03", "acme")], [], set(), id="a label is nothing that a file could lack"),
        pytest.param([], ["nobody"], {"nobody"}, id="a waybill that is nowhere"),
    ],
)
def test_what_the_files_tell_is_touched(lake, tmp_path, changed, waybills, expected):
    scope = look(lake, tmp_path, changed=changed, waybills=waybills)
    assert touched(scope) == WAITING | expected
    assert all(scope.since.isoformat() <= day for day, _ in changed)
    check_whole(lake, scope)


def test_a_table_that_the_last_night_had_not_seen_is_news_whole(lake, tmp_path):
    with lake.writing():
        finish(lake, msgspec.structs.replace(lake.night(), seen={"events": 0}))
    assert touched(look(lake, tmp_path)) == WAITING | {"done"}


def test_a_compacted_table_is_looked_at_anew_and_nothing_is_lost(lake, tmp_path):
    DeltaTable(lake.uri(EVENTS)).optimize.compact(writer_properties=ZSTD)
    check_whole(lake, look(lake, tmp_path))


OTHER = [
    pytest.param({"rebuild": True}, id="asked for"),
    pytest.param({"policy": Policy(visits=Visits(gap=Duration.of("6 h")))}, id="another policy"),
]


@pytest.mark.parametrize("said", OTHER)
def test_everything_is_concluded_anew(lake, tmp_path, said):
    scope = look(lake, tmp_path, **said)
    assert touched(scope) is None
    assert sorted(scope.events) == sorted(lake.files(EVENTS, lake.delta(EVENTS)))
    assert scope.since == scope.shipped_since == to_datetime(0).date()


def test_everything_is_concluded_where_there_was_no_night(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    assert touched(look(lake, tmp_path)) is None
    add(lake, EVENTS, events("done", 0, STAGES))
    scope = look(lake, tmp_path)
    assert (touched(scope), len(scope.events), scope.horizon) == (None, 1, at("12:00"))


@pytest.mark.parametrize("table", [EVENTS, ALERTS], ids=lambda table: table.name)
def test_everything_is_concluded_where_nobody_knows_what_the_last_night_saw(lake, tmp_path, table):
    delta = DeltaTable(lake.uri(table))
    delta.optimize.compact(writer_properties=ZSTD)
    add(lake, table, [raised("o", "t", "exception", at("10:00"), "")] if table is ALERTS else events("t", 0, STAGES))
    with lake.writing():
        finish(
            lake,
            msgspec.structs.replace(lake.night(), seen={"events": 0, "alerts": 0}, rules=look(lake, tmp_path).rules),
        )
    assert touched(look(lake, tmp_path)) is not None
    DeltaTable(lake.uri(table)).create_checkpoint()
    (lake.path / table.name / "_delta_log" / f"{0:020}.json").unlink()
    assert touched(look(lake, tmp_path)) is None


def test_the_horizon_is_no_later_than_the_clock(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    add(lake, EVENTS, [event("labeled", MONDAY + 365 * 500 * 24 * HOUR)])
    assert look(lake, tmp_path).horizon < MONDAY + 365 * 499 * 24 * HOUR
