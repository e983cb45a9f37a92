"""The simulator is deterministic and as noisy as it says, and its truth agrees with SQL over its own events."""

import json
from collections import Counter
from datetime import datetime

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.simulate import PROFILES, run
from pipelines.simulate.reissue import REISSUED
from pipelines.simulate.trouble import MISSED_BATCH, MISSED_LIVE, SHIFTED, STRANGERS
from schemas.alerts import KINDS
from schemas.events import WireEvent
from schemas.profile_faults import faults_of
from schemas.profiles import parse_profile, read_profiles
from schemas.rejections import REASONS
from schemas.stages import CRITICAL_STAGES, STAGES
from schemas.tables import HUB_SCANS
from transforms.hubs.normalise import read_file

SMALL = {"orders": 150, "days": 6, "seed": 3}
CLOSED = "stage in ('cancelled', 'failed', 'lost', 'delivered', 'return_started', 'returned')"


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """A month of 5,000 orders."""
    folder = tmp_path_factory.mktemp("simulate") / "month"
    run(folder, orders=5000, days=30, seed=7)
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
        select distinct on (event_id) * from read_json('{valid}', format = 'newline_delimited', columns = {{
            event_id: 'varchar', order_id: 'varchar', tracking_number: 'varchar', stage: 'varchar', reason: 'varchar',
            successor: 'varchar', declared_value: 'double', event_ts: 'timestamptz',
            promised_delivery_ts: 'timestamptz'}})""")
    connection.execute("""
        insert into events select * replace ('label of ' || event_id as event_id, 'labeled' as stage,
            successor as tracking_number, null as reason, null as successor) from events where successor is not null""")
    connection.execute("create schema night")
    for file in (month / "truth").rglob("*.parquet"):
        place = "night." if file.parent.name == "nightly" else ""
        connection.execute(f"create view {place}{file.stem} as from '{file}'")
    connection.execute(f"""
        create table parcels as
        select order_id, tracking_number, max(declared_value) as declared_value,
               min(event_ts) filter ({CLOSED}) as closed_at, min(event_ts) filter (stage = 'labeled') as labeled_at
        from events group by all""")
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


def test_the_same_call_gives_the_same_bytes_and_another_seed_another_shop(tmp_path):
    run(tmp_path / "a", **SMALL)
    run(tmp_path / "b", **SMALL)
    run(tmp_path / "c", **SMALL | {"seed": 4})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (tmp_path / "a/events.jsonl").read_bytes() != (tmp_path / "c/events.jsonl").read_bytes()


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
    for event in (decoder.decode(line) for line in lines if line not in rejected):
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
    assert column("select outcome from night.shipments") >= {
        "on_time", "late", "no_promise", "cancelled", "failed", "lost", "returned", "breached", "at_risk", "on_track",
    }  # fmt: skip
    assert column("select closed from visits") == {True, False}


def test_the_shop_is_believable(db):
    split = "(select avg((n > 1)::int) from (select count(*) n from night.shipments group by order_id))"
    averages = f"select {split}, avg(events), avg((declared_value >= 500)::int) from night.shipments"
    [(split, events, valued)] = db.sql(averages).fetchall()
    assert split == pytest.approx(0.06, abs=0.015)
    assert 8 <= events <= 10.5
    assert valued == pytest.approx(0.05, abs=0.012)
    shares = "select carrier, avg((outcome = 'on_time')::int) from night.shipments where outcome in ('on_time', 'late') group by all"
    on_time = dict(db.sql(shares).fetchall())
    assert on_time["northline"] > on_time["thrift_post"]


def test_milestones_agree_with_sql(db):
    assert_same(db, "from milestones", "select distinct order_id, tracking_number, stage, event_ts from events")
    first = "select order_id, tracking_number, {}, min(event_ts) from {} group by all"
    assert_same(db, "from first_milestones", first.format("stage", "events"))
    assert_same(db, "from night.first_milestones", first.format("milestone", "night.milestones"))


def waiting(anchor, limit, awaited):
    """Give the query of what waits a time for one of several stages."""
    return f"""select order_id, tracking_number, min(event_ts) filter (stage = '{anchor}') + interval '{limit}' as due,
        min(event_ts) filter ({awaited}) as ended from events group by all"""


def promised(early):
    """Give the query of what waits for the end until some time before the promise."""
    return f"""select order_id, tracking_number, min(event_ts) filter ({CLOSED}) as ended, arg_min(promised_delivery_ts,
        event_ts) filter (promised_delivery_ts is not null) - interval '{early}' as due from events group by all"""


def troubled(stage):
    """Give the query of what goes wrong, until the end."""
    return f"""select distinct order_id, tracking_number, event_ts as due, closed_at as ended
        from events join parcels using (order_id, tracking_number) where stage = '{stage}'"""


WAITS = {
    "pick_pack_delay": waiting("picked", "30 minutes", "stage not in ('picked', 'exception')"),
    "label_scan_delay": waiting("labeled", "2 hours", "stage not in ('picked', 'packed', 'labeled', 'exception')"),
    "last_mile_delay": waiting("out_for_delivery", "12 hours", f"{CLOSED} or stage in ('attempt_failed', 'available_for_pickup')"),
    "sla_at_risk": promised("4 hours"),
    "sla_breached": promised("0 hours"),
    **{stage: troubled(stage) for stage in ("exception", "attempt_failed")},
    "silent_high_value": """select v.order_id, v.tracking_number, end_ts + interval '12 hours' as due,
        least(closed_at, lead(start_ts) over (partition by v.order_id, v.tracking_number order by start_ts)) as ended
        from visits v join parcels using (order_id, tracking_number)""",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_alerts_agree_with_sql(db, kind):
    assert_same(
        db,
        f"select order_id, tracking_number, due_ts, state, state_ts from alerts where kind = '{kind}'",
        f"""
        with waits as ({WAITS[kind]})
        select order_id, tracking_number, due, if(ended is null, 'raised', 'cleared'), coalesce(ended, due)
        from waits, now where due <= horizon and (ended is null or ended > due)""",
    )


def test_visits_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, start_ts, end_ts, events, closed from visits",
        """
        with scans as (
            select *, event_ts - lag(event_ts) over parcel as silence from events semi join
                (from parcels where declared_value >= 500) using (order_id, tracking_number)
            where stage not in ('picked', 'packed', 'labeled', 'cancelled')
            window parcel as (partition by order_id, tracking_number order by event_ts)),
        numbered as (select *, count(*) filter (silence >= interval '12 hours') over
            (partition by order_id, tracking_number order by event_ts) as visit from scans)
        select order_id, tracking_number, min(event_ts), max(event_ts), count(*),
               max(event_ts) + interval '12 hours' <= any_value(horizon)
        from numbered, now group by order_id, tracking_number, visit""",
    )


def test_outcomes_agree_with_sql(db):
    assert_same(
        db,
        "select order_id, tracking_number, outcome, late_minutes from night.shipments where outcome in ('late', 'breached')",
        f"""
        with parcels as (
            select order_id, tracking_number, bool_or({CLOSED}) as closed,
                   min(event_ts) filter (stage = 'delivered') as delivered,
                   min(event_ts) filter (stage in ('return_started', 'returned')) as back
            from (select *, milestone as stage from night.milestones) group by all),
        promises as (select order_id, tracking_number, any_value(promised_delivery_ts) as promise from events
                     where stage in ('picked', 'packed', 'labeled') group by all)
        select order_id, tracking_number, if(closed, 'late', 'breached'),
               date_diff('microsecond', promise, if(closed, delivered, horizon)) / 60e6
        from parcels join promises using (order_id, tracking_number), now
        where if(closed, delivered <= coalesce(back, delivered) and delivered > promise, horizon > promise)""",
    )


def test_a_delay_is_shared_without_remainder(db):
    parties = ("shipper", "carrier", "customer", "external")
    for party in parties:
        assert db.sql(f"select count(*) from night.shipments where late_by_{party} > 0").fetchall() > [(0,)]
    whole = " + ".join(f"late_by_{party}" for party in parties)
    odd = f"from night.shipments where abs(late_minutes - ({whole})) > 1e-6 or (late_minutes is null) <> (late_by_carrier is null)"
    assert db.sql(odd).fetchall() == []


@pytest.fixture(scope="module")
def filed(month, db):
    """Each file's scans by its path, read by its carrier's profile; `held` is what the highest revisions hold."""
    profiles = {**read_profiles(), **read_profiles(PROFILES)}
    schema = pa.schema([field for field in HUB_SCANS.row_schema if field.name != "source"])
    found = {}
    for file in sorted((month / "hub_scans").rglob("*.csv*")):
        profile = profiles.get(file.parent.name, profiles["generic"])
        found[file], rejected = read_file(str(file), file.name, profile, schema=schema)
        assert rejected.num_rows == 0, rejected.to_pylist()[:3]
    newest = {(file.parent.name, file.name[:10]): scans for file, scans in found.items()}
    db.register("held", pa.concat_tables(newest.values()))
    return found


def test_the_profiles_are_without_fault_and_unlike_one_another():
    profiles = [parse_profile(file) for file in sorted(PROFILES.glob("*.toml"))]
    assert [faults_of(profile) for profile in profiles] == [[], [], [], []]
    assert (
        len({(p.delimiter, p.encoding, p.compression, p.trailer, *p.formats, len(p.columns.code)) for p in profiles})
        == 4
    )


def test_the_files_hold_the_true_scans(db, filed):
    assert_same(db, "from night.hub_scans", "select distinct * from held")
    assert db.sql("select count(*) from held").fetchall() > db.sql("select count(*) from night.hub_scans").fetchall()
    known = "select count(*) from night.hub_scans semi join parcels using (tracking_number)"
    assert db.sql("select sum(hub_scans) from night.shipments").fetchall() == db.sql(known).fetchall()


def test_a_corrected_file_stands_beside_the_first(filed, manifest):
    corrected = [file for file in filed if ".v2." in file.name]
    assert len(corrected) == manifest["hub_files_corrected"] == pytest.approx(len(filed) / 16, rel=0.5)
    assert {file.name.partition(".")[2] for file in filed} >= {"csv", "csv.gz", "csv.zip", "v2.csv"}
    for file in corrected:
        first, second = (filed[f].to_pylist() for f in (file.with_name(file.name.replace(".v2", "")), file))
        assert all(any(row not in there for row in here) for here, there in ((first, second), (second, first)))


def test_a_small_share_of_waybills_is_reissued_and_each_goes_on_or_waits(db, manifest):
    old = db.sql("select * from events where successor is not null").to_arrow_table().to_pylist()
    assert len(old) == pytest.approx(5300 * REISSUED, rel=0.4) and manifest["reissued"] >= len(old)
    assert {(one["stage"], one["reason"]) for one in old} == {("cancelled", "retailer_reissued")}
    outcomes = "select distinct outcome from night.shipments s semi join (from events where {}) using (tracking_number)"
    assert db.sql(outcomes.format("successor is not null")).fetchall() == [("cancelled",)]
    new = f"tracking_number in {tuple(one['successor'] for one in old)}"
    assert {"on_time", "late"} <= {outcome for (outcome,) in db.sql(outcomes.format(new)).fetchall()}
    labels = f"select tracking_number, count(*) n from events where stage = 'labeled' and {new} group by all"
    assert db.sql(f"select distinct n from ({labels}) order by n").fetchall() == [(1,), (2,)]


def test_findings_are_as_frequent_as_told(db, manifest):
    found = dict(db.sql("select finding, count(*) from night.reconciliation group by all").fetchall())
    [(critical,)] = db.sql(f"select count(*) from events where stage in {tuple(sorted(CRITICAL_STAGES))}").fetchall()
    assert found["missed_live"] / critical == pytest.approx(MISSED_LIVE, rel=0.25)
    assert found["missed_batch"] / critical == pytest.approx(MISSED_BATCH, rel=0.6)
    assert found["time_conflict"] / critical == pytest.approx(SHIFTED, rel=0.4)
    assert found["unknown_waybill"] == manifest["unknown_waybills"] == pytest.approx(5300 * STRANGERS, rel=0.6)
    assert found["after_terminal"] > 10
    kinds = (
        "select distinct counts, why like '%before the label' from night.reconciliation where finding = 'time_conflict'"
    )
    assert set(db.sql(kinds).fetchall()) >= {("batch", False), ("live", False), ("live", True)}


def test_what_the_files_add_is_what_the_live_side_missed(db):
    assert_same(
        db,
        """select tracking_number, milestone, event_ts from (from night.milestones except from milestones)""",
        f"""
        select distinct tracking_number, stage, scan_ts from night.hub_scans s join parcels using (tracking_number), now
        where stage in {tuple(CRITICAL_STAGES)} and scan_ts <= horizon and scan_ts >= labeled_at - interval '10 minutes'
        and not exists (from events e where e.tracking_number = s.tracking_number and e.stage = s.stage
                        and abs(date_diff('microsecond', e.event_ts, s.scan_ts)) <= 600e6)
        and exists (from night.reconciliation r where r.tracking_number = s.tracking_number and r.milestone = s.stage
                    and counts = 'batch' and (s.scan_ts = batch_ts or s.scan_ts > batch_ts and r.scans > 1))""",
    )
    assert db.sql("from milestones except from night.milestones").fetchall() == []


def test_long_stays_are_news(db):
    states = """select distinct state from night.alerts a semi join night.hub_legs l
        on a.kind = 'silent_high_value' and a.tracking_number = l.tracking_number and due_ts = in_ts + interval '12 hours'"""
    assert set(db.sql(states).fetchall()) == {("raised",), ("cleared",)}


def test_the_horizon_is_the_newest_event(db, manifest):
    assert db.sql("select horizon from now").fetchall() == [(datetime.fromisoformat(manifest["horizon"]),)]
