"""The simulator is deterministic and as noisy as it says, and its truth agrees with SQL over its own events."""

import ast
import csv
import gzip
import json
from collections import Counter
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest

import pipelines.simulate
from pipelines.simulate import run
from schemas.alerts import KINDS
from schemas.events import WireEvent
from schemas.rejections import REASONS
from schemas.stages import STAGES

MONTH = {"orders": 5000, "days": 30, "seed": 7}
SMALL = {"orders": 150, "days": 6, "seed": 3}
CLOSED = "stage in ('cancelled', 'failed', 'lost', 'delivered', 'return_started', 'returned')"


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """A month of 5,000 orders."""
    folder = tmp_path_factory.mktemp("simulate") / "month"
    run(folder, **MONTH)
    return folder


@pytest.fixture(scope="module")
def manifest(month):
    """What the month says of itself."""
    return json.loads((month / "manifest.json").read_text())


@pytest.fixture(scope="module")
def lines(month):
    """The month's lines in the order of arrival."""
    return (month / "events.jsonl").read_bytes().splitlines()


@pytest.fixture(scope="module")
def rejected(month):
    """Reason by raw line, as the truth has it."""
    rows = pq.read_table(month / "truth/rejections.parquet").to_pylist()
    return {row["raw"]: row["reason"] for row in rows}


@pytest.fixture(scope="module")
def db(month, lines, rejected, tmp_path_factory):
    """DuckDB over the truth, and over the valid events read anew from the stream."""
    valid = tmp_path_factory.mktemp("valid") / "valid.jsonl"
    valid.write_bytes(b"\n".join(line for line in lines if line not in rejected))
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(f"""
        create table events as
        select distinct on (event_id) event_id, order_id, tracking_number, stage, event_ts, promised_delivery_ts, reason
        from read_json('{valid}', format = 'newline_delimited', columns = {{
            event_id: 'varchar', order_id: 'varchar', tracking_number: 'varchar', stage: 'varchar', reason: 'varchar',
            event_ts: 'timestamptz', promised_delivery_ts: 'timestamptz'}})""")
    for file in (month / "truth").glob("*.parquet"):
        connection.execute(f"create view {file.stem} as from '{file}'")
    connection.execute("create table now as select max(event_ts) as horizon from events")
    return connection


def contents(folder):
    """Every file's bytes by its path."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def assert_same(db, truth, sql):
    """Check that two queries give the same rows, and some."""
    assert db.sql(f"select count(*) from ({truth})").fetchall() > [(0,)]
    for a, b in ((truth, sql), (sql, truth)):
        assert db.sql(f"({a}) except all ({b})").fetchall() == []


def test_the_same_call_gives_the_same_bytes(tmp_path):
    run(tmp_path / "a", **SMALL)
    run(tmp_path / "b", **SMALL)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_seed_gives_another_shop(tmp_path):
    run(tmp_path / "a", **SMALL)
    run(tmp_path / "b", **SMALL | {"seed": 4})
    assert (tmp_path / "a/events.jsonl").read_bytes() != (tmp_path / "b/events.jsonl").read_bytes()


def test_noise_is_near_its_targets(lines, rejected, manifest):
    repeats = len(lines) - len(set(lines))
    events = len(lines) - repeats - len(rejected)
    assert (events, repeats) == (manifest["events"], manifest["duplicates"])
    assert repeats / events == pytest.approx(0.02, rel=0.15)
    assert len(rejected) / events == pytest.approx(0.001, rel=0.4)
    held_up = Counter()
    told = [event for line in set(lines) - rejected.keys() if "received_ts" in (event := json.loads(line))]
    for event in told:
        delay = datetime.fromisoformat(event["received_ts"]) - datetime.fromisoformat(event["event_ts"])
        seconds = delay.total_seconds()
        held_up["hours" if seconds > 3600 else "minutes" if seconds > 60 else "no"] += 1
    assert held_up["hours"] / len(told) == pytest.approx(0.01, rel=0.2)
    assert held_up["minutes"] / len(told) == pytest.approx(0.05, rel=0.15)


def test_lines_come_in_the_order_of_arrival(lines, rejected):
    first_seen = dict.fromkeys(line for line in lines if line not in rejected)
    received = [event["received_ts"] for line in first_seen if "received_ts" in (event := json.loads(line))]
    moments = [datetime.fromisoformat(text) for text in received]
    assert moments == sorted(moments)


def test_every_sound_line_is_an_event_and_no_spoilt_one_is(lines, rejected):
    decoder = msgspec.json.Decoder(WireEvent)
    for line in lines:
        if line not in rejected:
            event = decoder.decode(line)
            assert event.stage in STAGES
            assert event.order_id
    assert rejected.keys() <= set(lines)
    assert set(rejected.values()) <= REASONS.keys()
    assert len(set(rejected.values())) == 7


def test_spoilt_lines_have_the_fault_they_are_said_to_have(rejected):
    for raw, reason in rejected.items():
        if reason == "malformed_json":
            with pytest.raises(ValueError):
                json.loads(raw)
            continue
        event = json.loads(raw)
        fits = {
            "missing_field": not {"stage", "event_ts", "tracking_number"} <= event.keys(),
            "unknown_stage": event.get("stage") not in STAGES,
            "naive_timestamp": len(event.get("event_ts", "")) == len("2025-06-01T00:00:00"),
            "invalid_carrier": "carrier" in event,
            "absurd_timestamp": event.get("event_ts", "").startswith("9999"),
        }
        faults = [fault for fault, found in fits.items() if found]
        if reason in ("missing_field", "wrong_type"):
            # A missing stage is no known stage either.
            faults = [fault for fault in faults if fault != "unknown_stage"]
        if reason == "wrong_type":
            with pytest.raises(msgspec.ValidationError):
                msgspec.json.decode(raw, type=WireEvent)
        assert faults == ([] if reason == "wrong_type" else [reason])


def test_every_stage_alert_and_outcome_appears(db):
    def column(sql):
        return {value for (value,) in db.sql(sql).fetchall()}

    assert column("select milestone from milestones") == set(STAGES)
    assert column("select kind from alerts") == set(KINDS)
    assert column("select state from alerts") == {"raised", "cleared"}
    assert column("select outcome from shipments") >= {
        "on_time", "late", "no_promise", "cancelled", "failed", "lost", "returned", "breached", "at_risk", "on_track",
    }  # fmt: skip
    assert column("select closed from visits") == {True, False}


def test_the_shop_is_believable(db):
    [(split, events, valued)] = db.sql("""
        select (select avg((n > 1)::int) from (select count(*) n from shipments group by order_id)),
               avg(events), avg((declared_value >= 500)::int) from shipments""").fetchall()
    assert split == pytest.approx(0.06, abs=0.015)
    assert 8 <= events <= 10.5
    assert valued == pytest.approx(0.05, abs=0.012)
    on_time = dict(
        db.sql("""
        select carrier, avg((outcome = 'on_time')::int) from shipments
        where outcome in ('on_time', 'late') group by carrier""").fetchall()
    )
    assert on_time["northline"] > on_time["thrift_post"]


def test_milestones_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, milestone, event_ts from milestones",
        "select distinct order_id, tracking_number, stage, event_ts from events",
    )
    assert_same(
        db,
        "select order_id, tracking_number, milestone, event_ts from first_milestones",
        "select order_id, tracking_number, stage, min(event_ts) from events group by all",
    )


@pytest.mark.parametrize(
    ("kind", "anchor", "limit", "awaited"),
    [
        ("pick_pack_delay", "picked", "30 minutes", "stage not in ('picked', 'exception')"),
        ("label_scan_delay", "labeled", "2 hours", "stage not in ('picked', 'packed', 'labeled', 'exception')"),
        (
            "last_mile_delay",
            "out_for_delivery",
            "12 hours",
            f"stage in ('attempt_failed', 'available_for_pickup') or {CLOSED}",
        ),
    ],
)
def test_waiting_alerts_agree_with_sql(db, kind, anchor, limit, awaited):
    assert_same(
        db,
        f"select order_id, tracking_number, due_ts, state, state_ts from alerts where kind = '{kind}'",
        f"""
        with waits as (
            select order_id, tracking_number, min(event_ts) filter (stage = '{anchor}') + interval '{limit}' as due,
                   min(event_ts) filter ({awaited}) as ended
            from events group by all)
        select order_id, tracking_number, due, if(ended is null, 'raised', 'cleared'), coalesce(ended, due)
        from waits, now where due <= horizon and (ended is null or ended > due)""",
    )


@pytest.mark.parametrize(("kind", "early"), [("sla_breached", "0 hours"), ("sla_at_risk", "4 hours")])
def test_promise_alerts_agree_with_sql(db, kind, early):
    assert_same(
        db,
        f"select order_id, tracking_number, due_ts, state, state_ts from alerts where kind = '{kind}'",
        f"""
        with promises as (
            select order_id, tracking_number, min(event_ts) filter ({CLOSED}) as ended,
                   arg_min(promised_delivery_ts, event_ts) filter (promised_delivery_ts is not null)
                       - interval '{early}' as due
            from events group by all)
        select order_id, tracking_number, due, if(ended is null, 'raised', 'cleared'), coalesce(ended, due)
        from promises, now where due <= horizon and (ended is null or ended > due)""",
    )


def test_trouble_alerts_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, kind, due_ts, state, state_ts from alerts where kind in ('exception', 'attempt_failed')",
        f"""
        with ends as (
            select *, min(event_ts) filter ({CLOSED}) over (partition by order_id, tracking_number) as ended from events)
        select distinct order_id, tracking_number, stage, event_ts, if(ended is null, 'raised', 'cleared'),
               coalesce(ended, event_ts)
        from ends where stage in ('exception', 'attempt_failed') and (ended is null or ended > event_ts)""",
    )


def test_silent_parcels_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, due_ts, state, state_ts from alerts where kind = 'silent_high_value'",
        """
        with silences as (
            select v.order_id, v.tracking_number, end_ts + interval '12 hours' as due, closed_at,
                   lead(start_ts) over (partition by v.order_id, v.tracking_number order by start_ts) as next_start,
                   least(closed_at, next_start) as ended
            from visits v join shipments using (order_id, tracking_number))
        select order_id, tracking_number, due, if(ended is null, 'raised', 'cleared'), coalesce(ended, due)
        from silences, now where due <= horizon and (ended is null or ended > due)""",
    )


def test_visits_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, start_ts, end_ts, events, closed from visits",
        """
        with scans as (
            select *, event_ts - lag(event_ts) over parcel as silence from events semi join
                (from shipments where declared_value >= 500) using (order_id, tracking_number)
            where stage not in ('picked', 'packed', 'labeled', 'cancelled')
            window parcel as (partition by order_id, tracking_number order by event_ts)),
        numbered as (
            select *, count(*) filter (silence >= interval '12 hours') over
                (partition by order_id, tracking_number order by event_ts) as visit from scans)
        select order_id, tracking_number, min(event_ts), max(event_ts), count(*),
               max(event_ts) + interval '12 hours' <= any_value(horizon)
        from numbered, now group by order_id, tracking_number, visit""",
    )


def test_outcomes_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, events, outcome, late_minutes from shipments where outcome in ('late', 'breached')",
        f"""
        with parcels as (
            select order_id, tracking_number, count(*) as events, bool_or({CLOSED}) as closed,
                   arg_min(promised_delivery_ts, event_ts) filter (promised_delivery_ts is not null) as promise,
                   min(event_ts) filter (stage = 'delivered') as delivered,
                   min(event_ts) filter (stage in ('return_started', 'returned')) as back
            from events group by all)
        select order_id, tracking_number, events, if(closed, 'late', 'breached'),
               date_diff('microsecond', promise, if(closed, delivered, horizon)) / 60e6
        from parcels, now where if(closed, delivered <= coalesce(back, delivered) and delivered > promise, horizon > promise)""",
    )


def test_hub_files_hold_the_true_scans(month, manifest):
    found, rows = Counter(), 0
    for file in sorted((month / "hub_scans").rglob("*.csv*")):
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for row in csv.DictReader(text.decode().splitlines()):
            assert row["carrier"] == file.parent.name
            assert row["scan_ts"][:10] == file.name[:10]
            found[row["tracking_number"], datetime.fromisoformat(row["scan_ts"]), row["code"], row["hub"]] += 1
            rows += 1
    truth = pq.read_table(month / "truth/hub_scans.parquet").to_pylist()
    assert found.keys() == {(r["tracking_number"], r["scan_ts"], r["code"], r["hub"]) for r in truth}
    assert len(found) == len(truth) < rows == manifest["hub_scan_lines"]
    shipments = pq.read_table(month / "truth/shipments.parquet", columns=["hub_scans"])
    assert sum(shipments["hub_scans"].to_pylist()) == len(truth)
    assert any((month / "hub_scans").rglob("*.csv.gz"))


def test_the_horizon_is_the_newest_event(db, manifest):
    assert db.sql("select horizon from now").fetchall() == [(datetime.fromisoformat(manifest["horizon"]),)]


def test_progress_ends_at_the_number_of_orders(tmp_path):
    told = []
    run(tmp_path / "a", **SMALL | {"orders": 1100}, progress=told.append)
    assert told == [500, 1000, 1100]


def test_an_earlier_simulation_may_be_replaced_and_an_empty_folder_used(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    run(out, **SMALL)
    before = contents(out)
    run(out, **SMALL | {"seed": 9})
    assert contents(out) != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_anything_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="holds no earlier simulation"):
        run(tmp_path, **SMALL)
    with pytest.raises(ValueError, match="is a file"):
        run(tmp_path / "notes.txt", **SMALL)
    assert contents(tmp_path) == before


def test_a_lake_beside_an_earlier_simulation_is_left_alone(tmp_path):
    run(tmp_path / "out", **SMALL)
    (tmp_path / "out/lake").mkdir()
    with pytest.raises(ValueError, match="holds lake beside an earlier simulation"):
        run(tmp_path / "out", **SMALL)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", **SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("orders", "days"), [(0, 1), (1, 0)])
def test_nothing_to_simulate_is_refused(tmp_path, orders, days):
    with pytest.raises(ValueError, match="at least one order and one day"):
        run(tmp_path / "out", orders, days, 7)


@pytest.mark.parametrize("orders", [1, 2])
def test_a_very_small_shop_works(tmp_path, orders):
    assert run(tmp_path / "out", orders, 1, 7)["orders"] == orders


def test_the_truth_shares_no_code_with_the_transforms():
    for file in Path(pipelines.simulate.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "transforms"], file.name
