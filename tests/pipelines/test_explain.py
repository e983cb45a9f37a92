"""The story of an order, and the shell in which anything else can be asked."""

import argparse
import doctest
import io
import itertools
import json

import pytest
from rich.console import Console

from pipelines import explain, render, sql, statements
from pipelines.errors import QueryError
from pipelines.query import open_lake
from schemas.alerts import cleared, raised, retracted
from schemas.events import Event
from schemas.fields import HOUR, MINUTE, parse_time, to_datetime
from schemas.rows import Finding, HubLeg, HubScan, Visit
from tests.pipelines.lakes import put

START = parse_time("2026-03-02T06:00:00Z")
_numbers = itertools.count()


def event(stage, at, order_id="O1", tracking_number="T1", **fields):
    """An event `at` microseconds after START, promised for 48 hours after it."""
    known = {
        "event_id": f"e{next(_numbers):06}", "order_id": order_id, "customer_id": "C1", "stage": stage,
        "warehouse_id": "W1", "carrier": "acme", "tracking_number": tracking_number,
        "promised_delivery_ts": START + 48 * HOUR, "event_ts": START + at, "reason": None, "hub": None,
        "origin_region": "north", "dest_region": "south", "declared_value": 800.0, "currency": "EUR", "received_ts": None,
    }  # fmt: skip
    return Event(**(known | fields))


def run(*words):
    parser = argparse.ArgumentParser(prog="milepost")
    commands = parser.add_subparsers()
    explain.add_command(commands)
    sql.add_command(commands)
    arguments = parser.parse_args(words)
    return arguments.run(arguments)


def story(lake, order_id="O1", as_of=None):
    with open_lake(lake.path, as_of) as db:
        return explain.story(db, order_id)


def at(micros):
    return to_datetime(START + micros)


def test_the_timeline_merges_all_evidence_in_order_of_time(lake):
    late = event("packed", 45 * MINUTE, received_ts=START + 50 * MINUTE)
    put(lake, "events", event("picked", 0), late, event("picked", HOUR), event("hub_in", 5 * HOUR, order_id="O2"))
    put(lake, "hub_scans", HubScan("acme", "T1", START + 4 * HOUR, "IN", "H1", "hub_in", None, "acme.csv"))
    alert = raised("O1", "T1", "pick_pack_delay", START + 30 * MINUTE, "picked at six")
    put(lake, "alerts", alert, cleared(alert, START + 45 * MINUTE, "packed"))
    (parcel,) = story(lake)
    told = [(e["at"], e["entry"], e.get("stage") or e["state"], e["after_previous_s"]) for e in parcel["timeline"]]
    assert told == [
        (at(0), "event", "picked", None),
        (at(30 * MINUTE), "alert", "raised", 1800),
        (at(45 * MINUTE), "event", "packed", 900),
        (at(45 * MINUTE), "alert", "cleared", 0),
        (at(HOUR), "event", "picked", 900),
        (at(4 * HOUR), "hub_scan", "hub_in", 3 * 3600),
    ]
    assert parcel["timeline"][2]["lateness_s"] == 300
    assert parcel["timeline"][1]["evidence"] == "picked at six"


def test_stays_and_findings_of_the_night_belong_to_the_story(lake):
    put(lake, "events", event("picked", 0), event("delivered", 9 * HOUR))
    put(lake, "hub_legs", HubLeg("acme", "T1", "H1", START + HOUR, None, True, False, 1, None))
    told = (None, START + 2 * HOUR, 1, "batch", "only the file knows it", START + 2 * HOUR)
    put(lake, "reconciliation", Finding("acme", "T1", "missed_live", "out_for_delivery", "O1", *told))
    put(lake, "reconciliation", Finding("other", "T1", "missed_live", "out_for_delivery", "O9", *told))
    (parcel,) = story(lake)
    assert [(stay["hub"], stay["out_ts"], stay["minutes"]) for stay in parcel["stays"]] == [("H1", None, 480)]
    assert [(found["finding"], found["batch_ts"]) for found in parcel["findings"]] == [("missed_live", at(2 * HOUR))]
    sink = io.StringIO()
    explain.as_text([parcel], Console(file=sink, width=200))
    for words in ("still there", "8 h", "in-scan missing", "batch: only the file knows it"):
        assert words in sink.getvalue()


def test_a_reissued_waybill_and_its_successor_name_each_other(lake):
    reissue = event("cancelled", HOUR, reason="retailer_reissued", successor="T2")
    again = event("cancelled", 2 * HOUR, tracking_number="T2", reason="carrier_reissued", successor="T3")
    labels = [event("labeled", HOUR, tracking_number="T2"), event("labeled", 2 * HOUR, tracking_number="T3")]
    put(lake, "events", event("labeled", 0), reissue, again, *labels, event("labeled", 3 * HOUR, "O2", "T9"))
    parcels = story(lake)
    assert [(p["tracking_number"], p["successor"], p["predecessors"]) for p in parcels] == [
        ("T1", "T2", []),
        ("T2", "T3", ["T1"]),
        ("T3", None, ["T2"]),
    ]
    sink = io.StringIO()
    explain.as_text(parcels, Console(file=sink, width=200))
    assert [line.strip() for line in sink.getvalue().splitlines() if "eissued as" in line or "n place of" in line] == [
        "Reissued as T2.",
        "In place of T1. Reissued as T3.",
        "In place of T2.",
    ]
    sink = io.StringIO()
    explain.as_text(story(lake, "O2"), Console(file=sink, width=200))
    assert "eissued" not in sink.getvalue() and "n place of" not in sink.getvalue()


def test_each_event_says_whether_it_made_a_milestone(lake):
    put(
        lake,
        "events",
        event("picked", 0),
        event("carrier_scanned", HOUR),
        event("packed", 2 * HOUR),
        event("return_started", 3 * HOUR),
        event("delivered", 4 * HOUR),
        event("picked", 5 * HOUR),
    )
    (parcel,) = story(lake)
    assert [(e["stage"], e["milestone"], e["remark"]) for e in parcel["timeline"]] == [
        ("picked", True, "milestone"),
        ("carrier_scanned", True, "milestone"),
        ("packed", True, "milestone, behind carrier_scanned"),
        ("return_started", True, "milestone"),
        ("delivered", True, "of the return leg, does not count"),
        ("picked", False, "again, changes nothing"),
    ]


def judged(lake, *events, as_of=None):
    put(lake, "events", *events)
    (parcel,) = story(lake, as_of=as_of)
    return {d["kind"]: (d["outcome"], d["by"], d["margin_minutes"]) for d in parcel["deadlines"]}


def test_deadlines_are_met_missed_or_waiting_with_their_margin(lake):
    events = [event("picked", 0), event("packed", 20 * MINUTE), event("labeled", HOUR), event("in_transit", 5 * HOUR)]
    assert judged(lake, *events) == {
        "pick_pack_delay": ("met", "packed", 10),
        "label_scan_delay": ("missed", "in_transit", -120),
        "sla_at_risk": ("waiting", None, 39 * 60),
        "sla_breached": ("waiting", None, 43 * 60),
    }


def test_a_deadline_that_passes_without_news_is_missed(lake):
    found = judged(lake, event("picked", 0), as_of=START + 2 * HOUR)
    assert found["pick_pack_delay"] == ("missed", None, -90)


def test_a_deadline_that_a_loss_forestalls_is_void(lake):
    found = judged(lake, event("picked", 0), event("lost", 40 * HOUR))
    assert found["sla_breached"] == ("void", "lost", 8 * 60)


def test_a_split_order_is_told_parcel_by_parcel(lake):
    put(lake, "events", event("picked", HOUR), event("picked", 0, tracking_number="T2"))
    assert [parcel["tracking_number"] for parcel in story(lake)] == ["T2", "T1"]


def test_a_story_as_of_a_time_ends_there(lake):
    put(lake, "events", event("picked", 0), event("delivered", HOUR))
    (parcel,) = story(lake, as_of=START + MINUTE)
    assert [e["stage"] for e in parcel["timeline"]] == ["picked"]
    assert parcel["as_of"] == at(MINUTE)


def test_an_unknown_order_is_told_in_one_sentence(lake):
    with pytest.raises(QueryError, match=r"^The lake knows no order O\\x1b9\.$"):
        story(lake, "O\x1b9")


def test_the_text_tells_the_whole_story(lake, capsys):
    put(
        lake,
        "events",
        event("picked", 0),
        event("exception", 30 * HOUR, reason="carrier_[red]damaged", hub="H1"),
        event("delivered", 51 * HOUR + 5 * MINUTE, promised_delivery_ts=START + 72 * HOUR),
    )
    put(lake, "visits", Visit("v1", "O1", "T1", START + 30 * HOUR, START + 31 * HOUR, 2, ["H1", "H2"], None, True))
    alert = raised("O1", "T1", "sla_breached", START + 48 * HOUR, "promised")
    put(lake, "alerts", alert, retracted(alert, START + 60 * HOUR))
    assert run("explain", "--lake", str(lake.path), "O1") == 0
    shown = capsys.readouterr().out
    for expected in (
        "Order O1  1 parcel, as known at 2026-03-04 09:05:00Z",
        "Parcel T1  from warehouse W1, by acme, north → south, worth 800 EUR",
        "Delivered 2026-03-04 09:05:00Z: 3 h 5 min after the promise of 2026-03-04 06:00:00Z"
        " (promised anew for 2026-03-05 06:00:00Z). Status late.",
        "carrier_[red]damaged, at H1",
        "missed, delivered came 3 h 5 min late",
        "H1, H2",
    ):
        assert expected in shown
    assert "\x1b" not in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


@pytest.mark.parametrize(
    ("stages", "passed", "sentence"),
    [
        (["picked"], 0, "Not delivered, picked: 2 d left until the promise of 2026-03-04 06:00:00Z. Status on_track."),
        (["picked"], 50, "Not delivered, picked: 2 h past the promise of 2026-03-04 06:00:00Z. Status breached."),
        (["lost"], 50, "Not delivered, lost: no longer awaited; promised for 2026-03-04 06:00:00Z. Status lost."),
        (["delivered"], 0, "Delivered 2026-03-02 06:00:00Z: 2 d before the promise of 2026-03-04 06:00:00Z."),
        (["delivered", "returned"], 0, "Delivered 2026-03-02 06:00:00Z, then returned: 2 d before the promise"),
    ],
)
def test_one_sentence_says_where_a_parcel_stands(lake, capsys, stages, passed, sentence):
    put(lake, "events", *(event(stage, 0) for stage in stages))
    as_of = to_datetime(START + passed * HOUR).isoformat()
    assert run("explain", "--lake", str(lake.path), "--horizon", as_of, "O1") == 0
    assert sentence in capsys.readouterr().out


def test_without_a_promise_the_story_says_so(lake, capsys):
    put(lake, "events", event("picked", 0, promised_delivery_ts=None))
    run("explain", "--lake", str(lake.path), "O1")
    assert "Not delivered, picked; nothing was promised." in capsys.readouterr().out


def test_json_tells_the_same_to_programs(lake, capsys):
    put(lake, "events", event("picked", 0))
    assert run("explain", "--lake", str(lake.path), "--format", "json", "O1") == 0
    (parcel,) = json.loads(capsys.readouterr().out)
    assert parcel["promised_delivery_ts"] == "2026-03-04T06:00:00Z"
    assert parcel["timeline"][0]["at"] == "2026-03-02T06:00:00Z"
    assert [d["kind"] for d in parcel["deadlines"]] == ["pick_pack_delay", "sla_at_risk", "sla_breached"]


@pytest.mark.parametrize("module", [explain, render, statements])
def test_the_examples_in_docstrings_hold(module):
    tried = doctest.testmod(module)
    assert tried.attempted and not tried.failed
