"""The views over the lake, each rule of the journey by name; the defects D1 to D9 of the SQL it all began with."""

import datetime
import itertools

import duckdb
import pyarrow as pa
import pytest

from pipelines.query import FOLDER, VIEWS, ask, choose_period, open_lake
from schemas.alerts import RAISED, STATES, cleared, raised, retracted
from schemas.events import Event
from schemas.fields import HOUR, MINUTE, arrow_schema, parse_time, to_batch, to_datetime
from schemas.rows import HubScan, Milestone, Shipment, Visit
from schemas.tables import TABLES
from tests.pipelines.lakes import put
from transforms.publish.lake import LakeError

START = parse_time("2026-03-02T06:00:00Z")
PROMISE = 48 * HOUR
_numbers = itertools.count()


def event(stage, at, order_id="O1", tracking_number="T1", **fields):
    """An event `at` microseconds after START, promised for PROMISE after it."""
    known = {
        "event_id": f"e{next(_numbers):06}", "order_id": order_id, "customer_id": "C1", "stage": stage,
        "warehouse_id": "W1", "carrier": "acme", "tracking_number": tracking_number,
        "promised_delivery_ts": START + PROMISE, "event_ts": START + at, "reason": None, "hub": None,
        "origin_region": "north", "dest_region": "south", "declared_value": None, "currency": None, "received_ts": None,
    }  # fmt: skip
    return Event(**(known | fields))


def rows(lake, query, *values, as_of=None):
    with open_lake(lake.path, as_of) as db:
        return ask(db, query, values).to_pylist()


def parcel(lake, *events, as_of=None):
    """The only parcel of a lake that holds these events."""
    put(lake, "events", *events)
    (row,) = rows(lake, "from parcels", as_of=as_of)
    return row


def at(micros):
    return to_datetime(START + micros)


def test_every_view_file_is_loaded():
    assert sorted(VIEWS) == sorted(path.stem for path in FOLDER.glob("*.sql"))


FROM_FILES = ("hub_scans", "first_scan_ts", "hub_legs", "hub_minutes")
BLAME = ("late_by_shipper", "late_by_carrier", "late_by_customer", "late_by_external")


def test_parcels_have_the_columns_of_a_shipment_that_events_alone_tell_and_the_successor(lake):
    with open_lake(lake.path) as db:
        answer = ask(db, "from parcels")
    wanted = [field for field in arrow_schema(Shipment) if field.name not in (*FROM_FILES, *BLAME)]
    assert answer.schema.names == [*(field.name for field in wanted), "successor"]
    assert answer.schema.types == [*(field.type for field in wanted), pa.string()]


def test_order_status_begins_with_the_columns_it_always_had(lake):
    with open_lake(lake.path) as db:
        assert db.sql("from order_status").columns[:14] == [
            "order_id", "tracking_number", "customer_id", "warehouse_id", "carrier", "picked_at", "packed_at", "labeled_at",
            "carrier_scanned_at", "delivered_at", "promised_delivery_ts", "current_stage", "pick_to_pack_minutes",
            "label_to_scan_minutes",
        ]  # fmt: skip
        assert db.sql("from sla_status").columns == [
            "order_id", "tracking_number", "customer_id", "carrier", "current_stage", "promised_delivery_ts",
            "delivered_at", "check_ts", "hours_until_promise", "sla_status",
        ]  # fmt: skip


def test_every_table_and_view_of_an_empty_lake_is_there_and_empty(lake):
    with open_lake(lake.path) as db:
        views = [view for view in VIEWS if view not in ("spans", "scorecard")]
        assert all(ask(db, f"from {name}").num_rows == 0 for name in (*TABLES, *views))
        assert ask(db, "select horizon() as h").to_pylist() == [{"h": to_datetime(0)}]


def test_no_lake_is_told_in_one_sentence(tmp_path):
    with pytest.raises(LakeError, match=r"There is no lake at .*\.$"):
        open_lake(tmp_path / "nowhere")


def test_a_damaged_file_is_told_in_one_sentence(lake):
    put(lake, "events", event("picked", 0))
    for file in (lake.path / "events").rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    with pytest.raises(LakeError, match=r"^The lake at .* cannot be read: [^\n]*\.$"):
        open_lake(lake.path)


# The defects.


def test_d1_a_parcel_delivered_late_stays_visible_as_late(lake):
    put(lake, "events", event("picked", 0), event("delivered", PROMISE + 3 * HOUR))
    (row,) = rows(lake, "from sla_status")
    assert (row["current_stage"], row["sla_status"]) == ("delivered", "late")
    assert rows(lake, "select late_minutes as m from parcels") == [{"m": 180.0}]


def test_d3_the_first_promise_counts_however_lenient_the_later_one(lake):
    later = START + PROMISE + 24 * HOUR
    row = parcel(
        lake,
        event("delivered", PROMISE + HOUR, promised_delivery_ts=None),
        event("in_transit", 4 * HOUR, promised_delivery_ts=later),
        event("picked", 0),
    )
    assert row["promised_delivery_ts"] == at(PROMISE)
    assert row["latest_promised_delivery_ts"] == to_datetime(later)
    assert row["outcome"] == "late"


def test_d4_a_scan_after_the_delivery_moves_nothing_back(lake):
    row = parcel(lake, event("delivered", HOUR), event("in_transit", 2 * HOUR))
    assert (row["current_stage"], row["outcome"]) == ("delivered", "on_time")


def test_d5_a_split_order_is_two_parcels_though_attributes_change_on_the_way(lake):
    put(
        lake,
        "events",
        event("delivered", HOUR, carrier="bolt", tracking_number="T2"),
        event("picked", 0),
        event("delivered", 2 * HOUR, warehouse_id="W2", customer_id=None),
    )
    found = rows(lake, "select tracking_number, carrier, warehouse_id, current_stage from order_status order by all")
    assert [tuple(row.values()) for row in found] == [
        ("T1", "acme", "W1", "delivered"),
        ("T2", "bolt", "W1", "delivered"),
    ]


def test_d6_a_second_delivery_does_not_move_the_time(lake):
    row = parcel(lake, event("delivered", PROMISE), event("delivered", PROMISE + HOUR))
    assert (row["delivered_at"], row["outcome"], row["late_minutes"]) == (at(PROMISE), "on_time", None)


def test_d7_label_to_scan_is_from_label_to_scan(lake):
    put(
        lake,
        "events",
        event("picked", 0),
        event("packed", 10 * MINUTE),
        event("labeled", 40 * MINUTE),
        event("carrier_scanned", 100 * MINUTE),
    )
    (row,) = rows(lake, "from order_status")
    assert (row["pick_to_pack_minutes"], row["label_to_scan_minutes"]) == (10.0, 60.0)


@pytest.mark.parametrize("stage", ["cancelled", "failed", "lost", "return_started", "returned"])
def test_d9_a_parcel_that_ended_otherwise_is_not_on_track(lake, stage):
    row = parcel(lake, event("picked", 0), event(stage, HOUR))
    assert (row["outcome"], row["current_stage"], row["closed_at"]) == (stage, stage, at(HOUR))
    (late,) = rows(lake, "from sla_status", as_of=START + 2 * PROMISE)
    assert late["sla_status"] == stage


# The rules.


@pytest.mark.parametrize(
    ("passed", "status"),
    [
        (PROMISE - 4 * HOUR - 1, "on_track"),
        (PROMISE - 4 * HOUR, "at_risk"),
        (PROMISE, "at_risk"),
        (PROMISE + 1, "breached"),
    ],
)
def test_an_open_parcel_stands_towards_its_promise_at_the_horizon(lake, passed, status):
    put(lake, "events", event("picked", 0))
    (row,) = rows(lake, "from sla_status", as_of=START + passed)
    assert row["sla_status"] == status
    assert row["check_ts"] == at(passed)
    assert row["hours_until_promise"] == pytest.approx((PROMISE - passed) / HOUR, abs=1e-12)


def test_a_breached_parcel_is_late_until_now(lake):
    row = parcel(lake, event("picked", 0), as_of=START + PROMISE + 90 * MINUTE)
    assert (row["outcome"], row["late_minutes"]) == ("breached", 90.0)


@pytest.mark.parametrize("stage", ["picked", "delivered"])
def test_without_a_promise_there_is_none_to_keep(lake, stage):
    row = parcel(lake, event(stage, 0, promised_delivery_ts=None))
    assert (row["outcome"], row["late_minutes"]) == ("no_promise", None)


def test_the_return_legs_delivery_is_none(lake):
    row = parcel(lake, event("return_started", HOUR), event("delivered", 2 * HOUR))
    assert (row["delivered_at"], row["current_stage"], row["outcome"]) == (None, "return_started", "return_started")


def test_a_parcel_delivered_and_then_returned_was_delivered(lake):
    row = parcel(lake, event("delivered", HOUR), event("return_started", 2 * HOUR), event("delivered", 3 * HOUR))
    assert (row["delivered_at"], row["current_stage"], row["outcome"]) == (at(HOUR), "return_started", "on_time")


def test_a_parcel_given_up_and_then_delivered_is_delivered(lake):
    row = parcel(lake, event("lost", HOUR), event("delivered", 2 * HOUR))
    assert (row["delivered_at"], row["closed_at"], row["outcome"]) == (at(2 * HOUR), at(HOUR), "on_time")


def test_attributes_are_those_of_the_earliest_event_that_tells_them(lake):
    row = parcel(
        lake,
        event("packed", HOUR, warehouse_id="W2", carrier="bolt", declared_value=700.0, currency="EUR"),
        event("picked", 0, carrier=None, event_id="b", warehouse_id="Wb", declared_value=600.0),
        event("picked", 0, carrier=None, event_id="a", warehouse_id="Wa"),
    )
    assert (row["warehouse_id"], row["carrier"]) == ("Wa", "bolt")
    assert (row["declared_value"], row["currency"]) == (700.0, "EUR")


def test_troubles_are_counted_by_distinct_time(lake):
    row = parcel(
        lake,
        event("exception", HOUR, reason="carrier_damaged"),
        event("exception", HOUR, reason="weather_storm"),
        event("attempt_failed", 2 * HOUR),
        event("attempt_failed", 3 * HOUR),
    )
    assert (row["exceptions"], row["attempts_failed"], row["attempt_failed_at"]) == (1, 2, at(2 * HOUR))
    assert (row["first_event_ts"], row["last_event_ts"], row["events"]) == (at(HOUR), at(3 * HOUR), 4)


def test_hub_scans_move_nothing_by_themselves(lake):
    put(lake, "hub_scans", HubScan("acme", "T1", START + 5 * HOUR, "OK", "H1", "delivered", None, "acme.csv"))
    row = parcel(lake, event("picked", 0))
    assert (row["current_stage"], row["last_event_ts"]) == ("picked", at(0))


def test_an_event_that_never_found_its_order_is_no_parcel(lake):
    put(lake, "events", event("hub_in", 0, order_id=None))
    assert rows(lake, "from parcels") == []


def test_the_first_milestone_is_the_earliest(lake):
    put(lake, "milestones", *(Milestone("O1", "T1", "delivered", START + hours * HOUR) for hours in (2, 1, 3)))
    assert rows(lake, "select milestone, event_ts from first_milestones") == [
        {"milestone": "delivered", "event_ts": at(HOUR)}
    ]


def test_current_alerts_are_in_their_latest_state_without_the_retracted(lake):
    first, second, third = (
        raised("O1", "T1", kind, START, "e") for kind in ("exception", "sla_at_risk", "sla_breached")
    )
    put(lake, "alerts", first, second, third, cleared(second, START + HOUR, "delivered"))
    # What is retracted is so for good, whichever state has the later time.
    put(lake, "alerts", cleared(third, START + 9 * HOUR, "delivered"), retracted(third, START + HOUR))
    put(lake, "events", event("picked", 0))
    found = rows(lake, "select kind, state, state_ts, carrier, warehouse_id from current_alerts order by kind")
    assert [tuple(row.values()) for row in found] == [
        ("exception", "raised", at(0), "acme", "W1"),
        ("sla_at_risk", "cleared", at(HOUR), "acme", "W1"),
    ]


def test_the_life_of_an_alert_has_the_order_that_the_view_says():
    listed = ", ".join(f"'{state}'" for state in STATES)
    assert f"[{listed}]" in (FOLDER / "latest_alerts.sql").read_text(encoding="utf-8")


def test_as_of_leaves_out_what_was_not_known_then(lake):
    put(lake, "events", event("picked", 0), event("delivered", 2 * HOUR))
    put(
        lake, "milestones", Milestone("O1", "T1", "picked", START), Milestone("O1", "T1", "delivered", START + 2 * HOUR)
    )
    put(lake, "hub_scans", HubScan("acme", "T1", START + 2 * HOUR, "IN", "H1", "hub_in", None, "acme.csv"))
    alert = raised("O1", "T1", "pick_pack_delay", START + 30 * MINUTE, "picked")
    put(
        lake,
        "alerts",
        alert,
        cleared(alert, START + 2 * HOUR, "delivered"),
        raised("O1", "T1", "exception", START + 2 * HOUR, ""),
    )
    put(
        lake,
        "visits",
        *(Visit(f"v{h}", "O1", "T1", START + h * HOUR, START + h * HOUR, 1, [], None, False) for h in (0, 2)),
    )
    then = START + HOUR
    (row,) = rows(lake, "from parcels", as_of=then)
    assert (row["current_stage"], row["delivered_at"]) == ("picked", None)
    assert rows(lake, "from hub_scans", as_of=then) == []
    assert [row["milestone"] for row in rows(lake, "from milestones", as_of=then)] == ["picked"]
    assert [(row["kind"], row["state"]) for row in rows(lake, "from current_alerts", as_of=then)] == [
        ("pick_pack_delay", RAISED)
    ]
    assert [row["visit_id"] for row in rows(lake, "from visits", as_of=then)] == ["v0"]
    (row,) = rows(lake, "from parcels")
    assert (row["current_stage"], len(rows(lake, "from hub_scans"))) == ("delivered", 1)
    assert rows(lake, "select horizon() as h") == [{"h": at(2 * HOUR)}]


def test_a_senders_fast_clock_does_not_move_the_horizon_past_now(lake):
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    put(lake, "events", event("picked", 0), event("packed", round(tomorrow.timestamp() * 1e6) - START))
    (row,) = rows(lake, "select horizon() as h")
    assert row["h"] <= datetime.datetime.now(datetime.UTC)


def test_a_period_holds_whole_days_at_both_ends(lake):
    hours = [-1, 0, 23, 24, 25]
    midnight = parse_time("2026-03-02")
    put(lake, "events", *(event("picked", midnight - START + h * HOUR, order_id=f"O{h}") for h in hours))
    day = datetime.date(2026, 3, 2)
    with open_lake(lake.path) as db:

        def chosen(first, last):
            choose_period(db, first, last)
            return {row["order_id"] for row in ask(db, "from events where in_period(event_ts)").to_pylist()}

        assert chosen(day, day) == {"O0", "O23"}
        assert chosen(None, day) == {"O-1", "O0", "O23"}
        assert chosen(day, None) == {"O0", "O23", "O24", "O25"}
        assert chosen(None, datetime.date.max) == {f"O{h}" for h in hours}


def test_an_open_lake_stays_at_its_snapshot(lake):
    put(lake, "events", event("picked", 0))
    with open_lake(lake.path) as db:
        put(lake, "events", event("packed", HOUR))
        assert ask(db, "from events").num_rows == 1
    assert len(rows(lake, "from events")) == 2


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1) to '{out}/stolen.csv'",
        "copy (select 1) to '{lake}/events/stolen.parquet'",
        "attach '{out}/other.duckdb'",
        "from read_text('{out}/secret.txt')",
        "from glob('{out}/*')",
        "from read_parquet('{out}/other.parquet')",
        "from local_variable",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "set allowed_directories = ['/']",
        "install httpfs",
        "from enable_logging(storage = 'file', storage_path = '{out}/log.csv')",
        "create persistent secret s (type s3)",
    ],
)
def test_a_connection_reaches_nothing_but_the_lakes_rows(lake, tmp_path, query):
    put(lake, "events", event("picked", 0))
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    local_variable = to_batch([], arrow_schema(Milestone))
    assert local_variable.num_rows == 0
    with open_lake(lake.path) as db:
        with pytest.raises(duckdb.Error):
            db.execute(query.format(out=tmp_path, lake=lake.path))
        assert ask(db, "from events").num_rows == 1
    assert sorted(tmp_path.rglob("*")) == before
