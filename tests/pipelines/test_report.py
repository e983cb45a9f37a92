"""The reports, number by number against loops over the events."""

import argparse
import datetime
import itertools
import json
import random

import msgspec
import pytest

from pipelines import report as command
from pipelines.errors import UsageError
from pipelines.render import FORMATS, as_json, show
from pipelines.report import REPORTS, names, report
from schemas.events import Event
from schemas.fields import HOUR, parse_time, to_datetime
from tests.pipelines import plain_parcels
from tests.pipelines.lakes import put
from transforms.publish.lake import Lake

START = parse_time("2026-03-02T06:00:00Z")
SCORECARDS = {
    "carriers": ["carrier"],
    "warehouses": ["warehouse_id"],
    "lanes": ["carrier", "origin_region", "dest_region"],
}
DELAY = ("chronic", "judged", "late_pct", "late_low_pct", "late_high_pct", "carrier_late_pct")
"""What lanes say beside the scorecard; see test_report_numbers."""
_numbers = itertools.count()


def event(stage, hours, order_id, tracking_number="T1", promise=48, **fields):
    """An event some hours after START, promised for `promise` hours after it."""
    known = {
        "event_id": f"e{next(_numbers):06}", "order_id": order_id, "customer_id": "C1", "stage": stage,
        "warehouse_id": "W1", "carrier": "acme", "tracking_number": tracking_number,
        "promised_delivery_ts": None if promise is None else START + round(promise * HOUR),
        "event_ts": START + round(hours * HOUR), "reason": None, "hub": None, "origin_region": "north",
        "dest_region": "south", "declared_value": None, "currency": None, "received_ts": None,
    }  # fmt: skip
    return Event(**(known | fields))


def journey(order_id, *stages, **fields):
    """A parcel through stages, given as pairs of stage and hours."""
    return [event(stage, hours, order_id, **fields) for stage, hours in stages]


WAY = (("picked", 0), ("packed", 0.5), ("labeled", 1), ("carrier_scanned", 3))

SITUATIONS = [
    *journey("on time", *WAY, ("delivered", 30)),
    *journey("late", *WAY, ("delivered", 50)),
    *journey("split", *WAY, ("delivered", 40), tracking_number="T1"),
    *journey("split", *WAY, ("delivered", 60), tracking_number="T2", carrier="bolt"),
    *journey("promised anew", *WAY),
    *journey("promised anew", ("delivered", 55), promise=72),
    *journey("delivered twice", *WAY, ("delivered", 47), ("delivered", 49)),
    *journey("return leg", *WAY, ("return_started", 20), ("delivered", 40), warehouse_id="W2"),
    *journey("delivered, then returned", *WAY, ("delivered", 20), ("returned", 70)),
    *journey("lost", *WAY, ("lost", 45), carrier="bolt"),
    *journey("lost and found", *WAY, ("lost", 30), ("delivered", 40), dest_region="west"),
    *journey("open overdue", *WAY, ("exception", 20), ("exception", 21), warehouse_id="W2"),
    *journey("open", *WAY, promise=500),
    *journey("no promise", *WAY, ("delivered", 44), promise=None, dest_region=None),
    *journey("failed", *WAY, ("attempt_failed", 10), ("failed", 11)),
    *journey("second attempt", *WAY, ("attempt_failed", 30), ("delivered", 33)),
    *journey(
        "scans out of order", ("packed", 0), ("picked", 1), ("carrier_scanned", 2), ("labeled", 3), ("delivered", 9)
    ),
    *journey("never scanned", ("picked", 0), ("delivered", 24), carrier="bolt"),
    *journey("the clock", ("picked", 100), carrier=None),
]


def noise(seed, parcels=150):
    """Parcels with any stages in any order."""
    chance = random.Random(seed)
    stages = ["picked", "packed", "labeled", "carrier_scanned", "out_for_delivery", "delivered", "attempt_failed"]
    stages += ["exception", "hub_in", "lost", "return_started", "returned", "cancelled", "delivered"]
    return [
        event(
            chance.choice(stages),
            chance.randrange(0, 100_000) / 1000,
            f"O{number // 2}",
            f"T{number}",
            chance.choice([None, 24, 48, 90, 200]),
            carrier=chance.choice([None, "acme", "bolt", "delta"]),
            warehouse_id=chance.choice([None, "W1", "W2"]),
            origin_region=chance.choice(["north", "south"]),
            dest_region=chance.choice([None, "west", "east"]),
        )
        for number in range(parcels)
        for _ in range(chance.randint(1, 9))
    ]


def scorecard(events, keys, horizon=None, chosen=lambda parcel: True):
    """Give the rows of a scorecard, by their keys, as loops over the events find them."""
    told = [msgspec.structs.asdict(one) for one in events]
    horizon = horizon or max(one.event_ts for one in events)
    return plain_parcels.scorecard(filter(chosen, plain_parcels.fold(told, horizon)), keys, horizon)


def scored(lake, name, **options):
    rows = report(name, lake.path, **options).rows.to_pylist()
    if name == "lanes":
        rows = [{key: value for key, value in row.items() if key not in DELAY} for row in rows]
    keys = SCORECARDS[name]
    return {tuple(row.pop(key) for key in keys): row for row in rows}


def carriers(lake, *events):
    put(lake, "events", *events)
    return scored(lake, "carriers")


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, row in wanted.items():
        assert list(found[key]) == list(row)
        for name, value in row.items():
            assert found[key][name] == (value and pytest.approx(value, rel=1e-12)), (key, name)


@pytest.mark.parametrize("name", SCORECARDS)
@pytest.mark.parametrize("events", [SITUATIONS, noise(1), noise(2)], ids=["situations", "noise 1", "noise 2"])
def test_every_number_of_a_scorecard_is_what_loops_over_the_events_find(lake, name, events):
    put(lake, "events", *events)
    same(scored(lake, name), scorecard(events, SCORECARDS[name]))


def test_a_scorecard_at_a_horizon_knows_only_what_had_happened(lake):
    events = SITUATIONS + noise(3)
    put(lake, "events", *events)
    then = START + 46 * HOUR
    same(scored(lake, "carriers", horizon=then), scorecard(events, ["carrier"], then))


def test_parcels_are_chosen_by_the_day_of_their_first_event(lake):
    events = noise(4)
    put(lake, "events", *events)
    first, last = datetime.date(2026, 3, 3), datetime.date(2026, 3, 4)

    def chosen(parcel):
        return first <= to_datetime(parcel["first_event_ts"]).date() <= last

    same(scored(lake, "lanes", first=first, last=last), scorecard(events, SCORECARDS["lanes"], chosen=chosen))


def test_the_order_of_arrival_changes_nothing(tmp_path):
    events = SITUATIONS + noise(5)
    shuffled = random.Random(6).sample(events, len(events))
    answers = []
    for name, batches in (("one", [events]), ("other", [shuffled[:300], shuffled[200:]])):
        lake = Lake(tmp_path / name).check(create=True)
        for batch in batches:
            put(lake, "events", *batch)
        answers.append([as_json(report(name, lake.path)) for name in names()])
    assert answers[0] == answers[1]


# The defects of the SQL it all began with.


def test_d1_a_breach_outlives_its_delivery(lake):
    row = carriers(lake, *journey("O1", *WAY, ("delivered", 50)))["acme",]
    assert (row["late_deliveries"], row["promises_due"], row["promises_kept"]) == (1, 1, 0)
    assert [(row["sla_status"], row["avg_late_min"]) for row in report("sla", lake.path).rows.to_pylist()] == [
        ("late", 120.0)
    ]


def test_d2_lost_returned_and_overdue_parcels_stay_in_the_denominator(lake):
    row = carriers(
        lake,
        *journey("O1", *WAY, ("delivered", 30)),
        *journey("O2", *WAY, ("lost", 30)),
        *journey("O3", *WAY, ("returned", 30)),
        *journey("O4", *WAY),
        *journey("O5", *WAY, ("cancelled", 60)),
    )["acme",]
    assert (row["on_time_rate_pct"], row["total_orders"]) == (100.0, 1)
    assert (row["kept_rate_pct"], row["promises_due"], row["parcels"]) == (20.0, 5, 5)
    assert (row["lost"], row["returned"], row["overdue"]) == (1, 1, 1)


def test_d3_a_later_promise_makes_no_delivery_timely(lake):
    row = carriers(lake, *journey("O1", *WAY), *journey("O1", ("delivered", 50), promise=72))["acme",]
    assert (row["on_time_deliveries"], row["late_deliveries"]) == (0, 1)


def test_d4_a_scan_after_the_delivery_does_not_reopen_the_parcel(lake):
    row = carriers(lake, *journey("O1", *WAY, ("delivered", 30), ("in_transit", 60)))["acme",]
    assert (row["open"], row["overdue"], row["total_orders"]) == (0, 0, 1)


def test_d5_a_split_order_is_two_parcels(lake):
    found = carriers(
        lake,
        *journey("O1", *WAY, ("delivered", 30)),
        *journey("O1", *WAY, ("delivered", 60), tracking_number="T2"),
    )
    assert (found["acme",]["total_orders"], found["acme",]["on_time_rate_pct"]) == (2, 50.0)


def test_d6_a_second_delivery_makes_no_delivery_late(lake):
    row = carriers(lake, *journey("O1", *WAY, ("delivered", 40), ("delivered", 60)))["acme",]
    assert (row["on_time_deliveries"], row["transit_p50_hours"]) == (1, 37.0)


def test_d7_label_to_scan_starts_at_the_label(lake):
    row = carriers(lake, *journey("O1", *WAY, ("delivered", 30)))["acme",]
    assert (row["avg_pick_to_pack_min"], row["avg_label_to_scan_min"]) == (30.0, 120.0)


def test_d8_quantiles_first_attempts_and_exceptions_are_told(lake):
    events = [e for hours in range(1, 12) for e in journey(f"O{hours}", ("carrier_scanned", 0), ("delivered", hours))]
    row = carriers(lake, *events, event("attempt_failed", 0.5, "O1"), event("exception", 0.5, "O1"))["acme",]
    assert [row[f"transit_p{part}_hours"] for part in (50, 90, 95)] == [6.0, 10.0, 10.5]
    assert row["first_attempt_rate_pct"] == pytest.approx(100 * 10 / 11)
    assert row["exceptions"] == 1


def test_d9_failed_and_returned_parcels_are_not_on_track(lake):
    put(lake, "events", *journey("O1", *WAY, ("failed", 5)), *journey("O2", *WAY, ("return_started", 5)))
    found = report("sla", lake.path).rows.to_pylist()
    assert [row["sla_status"] for row in found] == ["failed", "return_started"]


def test_sla_counts_parcels_by_carrier_and_status(lake):
    put(lake, "events", *SITUATIONS)
    found = {(row["carrier"], row["sla_status"]): row["parcels"] for row in report("sla", lake.path).rows.to_pylist()}
    assert found == {
        ("acme", "on_time"): 7, ("acme", "late"): 2, ("acme", "return_started"): 1, ("acme", "breached"): 1,
        ("acme", "on_track"): 1, ("acme", "no_promise"): 1, ("acme", "failed"): 1, ("bolt", "late"): 1, ("bolt", "lost"): 1,
        ("bolt", "on_time"): 1, (None, "breached"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", names())
def test_every_report_of_an_empty_lake_runs_and_has_no_rows(lake, capsys, name, form):
    answer = report(name, lake.path)
    assert answer.rows.num_rows == 0
    show(answer, form)
    shown = capsys.readouterr().out
    assert json.loads(shown) == [] if form == "json" else shown.strip()


@pytest.mark.parametrize("name", names())
def test_every_column_of_a_report_is_defined(lake, name):
    answer = report(name, lake.path)
    assert set(answer.columns()) <= set(answer.glossary)
    assert answer.title and not answer.title.startswith("-")


# The command.


def run(*words):
    parser = argparse.ArgumentParser(prog="milepost")
    command.add_command(parser.add_subparsers())
    arguments = parser.parse_args(words)
    return arguments.run(arguments)


def test_the_command_writes_a_file_in_one_step(lake, tmp_path):
    put(lake, "events", *SITUATIONS)
    out = tmp_path / "carriers.json"
    out.write_text("old", encoding="utf-8")
    days = ("--from", "2026-03-02", "--to", "2026-03-02")
    assert run("report", "carriers", "--lake", str(lake.path), *days, "--format", "json", "--out", str(out)) == 0
    assert [row["carrier"] for row in json.loads(out.read_text(encoding="utf-8"))] == ["acme", "bolt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["carriers.json", "lake"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["nonsense"],
        ["sla", "--from", "monday"],
        ["sla", "--horizon", "2026-03-02T10:00:00"],
        ["sla", "--as-of", "yesterday"],
    ],
)
def test_wrong_words_are_wrong_usage(lake, wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        run("report", *wrong, "--lake", str(lake.path))
    assert stop.value.code == 2
    assert capsys.readouterr().err


def test_a_period_must_not_end_before_it_begins(lake):
    with pytest.raises(UsageError, match=r"ends \(2026-03-01\) before it begins \(2026-03-02\)"):
        report("sla", lake.path, first=datetime.date(2026, 3, 2), last=datetime.date(2026, 3, 1))


def test_reports_are_the_files_of_their_folder():
    assert names() == sorted(path.stem for path in REPORTS.glob("*.sql"))
    with pytest.raises(UsageError, match="There is no report weather"):
        report("weather", "anywhere")
