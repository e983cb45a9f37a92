"""What the lake knew then, what the world was then, and that the two are not mixed up."""

import datetime
import json
import shutil
import time
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.errors import UsageError
from pipelines.query import ask, open_lake
from pipelines.report import report
from schemas.fields import HOUR, to_text
from schemas.policy import Costs, Limits, Policy
from schemas.settings import Duration
from schemas.tables import EVENTS
from tests.builders import MONDAY, event
from tests.pipelines.lakes import replay
from tests.pipelines.worlds import lines
from transforms.publish.history import night_at
from transforms.publish.lake import Lake, LakeError

SCANS = "carrier,tracking_number,scan_ts,code,hub\n"


def now():
    """Give a time after all that was committed and before all that will be: commits count milliseconds."""
    begun = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 <= begun + 1:
        pass
    return (begun + 1) * 1000


def told(hours, stage="in_transit", waybill="t1"):
    return event(stage, MONDAY + hours * HOUR, "o1", waybill, carrier="acme", promise=MONDAY + 30 * HOUR)


@pytest.fixture
def twice(tmp_path):
    """A lake written in two runs: the delivery at 20 h is told by the second, after what happened at 40 h."""
    first = replay(lines([told(1, "picked"), told(40, "in_transit")]), tmp_path)
    between = now()
    replay(lines([told(20, "delivered"), told(50, "picked", "t2")]), tmp_path, name="b")
    return first, between


def parcels(lake, **when):
    with open_lake(lake, **when) as db:
        return {row["tracking_number"]: row for row in ask(db, "from parcels").to_pylist()}


def test_as_of_knows_nothing_of_what_came_later_though_it_happened_before(twice):
    lake, between = twice
    found = parcels(lake, as_of=between)
    assert [row["outcome"] for row in found.values()] == ["breached"]
    assert found["t1"]["delivered_at"] is None


def test_a_horizon_knows_all_that_happened_by_then_whenever_it_came(twice):
    lake, _ = twice
    found = parcels(lake, horizon=MONDAY + 25 * HOUR)
    assert [row["outcome"] for row in found.values()] == ["on_time"]


def test_both_give_what_the_lake_knew_then_of_the_world_at_an_earlier_time(twice):
    lake, between = twice
    found = parcels(lake, horizon=MONDAY + 25 * HOUR, as_of=between)
    assert [(row["current_stage"], row["outcome"]) for row in found.values()] == [("picked", "on_track")]


def test_the_horizon_of_what_was_known_is_the_newest_event_known_then(twice):
    lake, between = twice
    for when, hours in (({"as_of": between}, 40), ({}, 50)):
        with open_lake(lake, **when) as db:
            assert db.sql("select epoch_us(horizon())").fetchall() == [(MONDAY + hours * HOUR,)]


def test_alerts_of_then_are_those_that_were_raised_then(twice):
    lake, between = twice
    query = "select kind from current_alerts where tracking_number = 't1' and kind = 'sla_breached'"
    for when, wanted in (({"as_of": between}, [("sla_breached",)]), ({}, [])):
        with open_lake(lake, **when) as db:
            assert db.sql(query).fetchall() == wanted


def test_before_its_first_row_the_lake_knew_nothing_and_that_is_said(twice):
    lake, _ = twice
    with pytest.raises(UsageError, match=r"knew nothing yet at 2026-03-02.*--horizon"):
        open_lake(lake, as_of=MONDAY)


def test_an_empty_lake_knows_nothing_at_any_time(lake):
    assert report("carriers", lake.path, as_of=MONDAY).rows.num_rows == 0


def test_times_of_commits_survive_a_copy_of_the_lake(twice, tmp_path):
    lake, between = twice
    shutil.copytree(lake, tmp_path / "copy", copy_function=shutil.copyfile)
    assert parcels(tmp_path / "copy", as_of=between) == parcels(lake, as_of=between)


def test_what_upkeep_has_removed_is_said_to_be_gone(twice, capsys):
    lake, between = twice
    assert main(["maintain", "--lake", str(lake), "--keep-hours", "1"]) == 0
    assert parcels(lake, as_of=between)
    for file in Lake(lake).files(EVENTS, Lake(lake).delta(EVENTS, 0)):
        Path(file).unlink()
    with pytest.raises(LakeError, match=r"not kept any more.*--keep-hours"):
        open_lake(lake, as_of=between)


# Nights.


@pytest.fixture
def nights(tmp_path):
    """A lake of two nights, and a time between them."""
    day = datetime.datetime.fromtimestamp(MONDAY / 1e6, datetime.UTC).date()
    lake = replay(lines([told(1, "picked"), told(60, "in_transit")]), tmp_path)
    folder = tmp_path / "drop" / "acme"
    folder.mkdir(parents=True)
    between = None
    for number in range(2):
        date = day + datetime.timedelta(days=number)
        hours = 5 + 24 * number
        rows = [
            f"acme,t1,{to_text(MONDAY + (hours + n) * HOUR)},{code},H{number}\n"
            for n, code in enumerate(("hub_in", "hub_out"))
        ]
        (folder / f"{date}.csv").write_text(SCANS + "".join(rows))
        if number:
            between = now()
        words = ["nightly", "--drop", str(tmp_path / "drop"), "--lake", str(lake), "--date", str(date)]
        assert main(words) == 0
    return lake, between


def hubs(lake, **when):
    with open_lake(lake, **when) as db:
        return [hub for (hub,) in db.sql("select distinct hub from hub_scans order by hub").fetchall()]


def test_as_of_between_two_nights_shows_the_first(nights):
    lake, between = nights
    assert hubs(lake, as_of=between) == ["H0"]
    assert hubs(lake) == hubs(lake, as_of=now()) == ["H0", "H1"]


def test_upkeep_changes_no_night_of_then(nights):
    lake, between = nights
    finished = Lake(lake).night().finished
    assert main(["maintain", "--lake", str(lake)]) == 0
    assert hubs(lake, as_of=between) == ["H0"]
    assert night_at(Lake(lake), finished) == Lake(lake).night()
    assert night_at(Lake(lake), finished - 1) != Lake(lake).night()


# Settled parcels: the same rows as from the events.


def all_told(lake, monkeypatch, **when):
    """Give all parcels, from the events alone, and as they are told."""
    quick = parcels(lake, **when)
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.query.settle", lambda *_: None)
        return parcels(lake, **when), quick


def settled(lake):
    """Give how many parcels are not concluded from their events."""
    with open_lake(lake) as db:
        return db.sql("select count(*) from pieces.settled").fetchall()[0][0]


def test_a_settled_parcel_is_told_as_its_events_tell_it(nights, monkeypatch):
    lake, between = nights
    assert settled(lake) == 1
    for when in ({}, {"as_of": between}, {"horizon": MONDAY + 6 * HOUR}, {"horizon": MONDAY + 99 * HOUR}):
        slow, quick = all_told(lake, monkeypatch, **when)
        assert slow == quick != {}


def test_a_parcel_with_news_is_not_settled(nights, monkeypatch, tmp_path):
    lake, _ = nights
    replay(lines([told(61, "delivered"), told(3, "packed"), told(2, "picked", "t9")]), tmp_path, name="c")
    assert settled(lake) == 0
    slow, quick = all_told(lake, monkeypatch)
    assert slow == quick
    assert (quick["t1"]["current_stage"], quick["t1"]["packed_at"] is None) == ("delivered", False)


def test_under_another_policy_nothing_is_settled(nights):
    lake, _ = nights
    Lake(lake).remember(Policy(limits=Limits(sla_at_risk=Duration.of("9 h"))))
    assert settled(lake) == 0
    # Prices are no limits.
    Lake(lake).remember(Policy(costs=Costs(contact=1)))
    assert settled(lake) == 1


# The commands.


def test_the_difference_is_told_in_one_line(twice, capsys):
    lake, between = twice
    words = [
        "report",
        "sla",
        "--lake",
        str(lake),
        "--horizon",
        to_text(MONDAY + 25 * HOUR),
        "--as-of",
        to_text(between),
    ]
    line = f"what the lake knew at {to_text(between)} (--as-of), of the world as it was at "
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(line)
    assert main([*words, "--format", "json"]) == 0
    shown = capsys.readouterr()
    assert shown.err.startswith(line)
    assert json.loads(shown.out)[0]["sla_status"] == "on_track"
    assert main([*words, "--format", "html"]) == 0
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("ask_for", [["sql", "select outcome from parcels"], ["explain", "o1"]], ids=["sql", "explain"])
def test_all_that_ask_the_lake_travel_alike(twice, capsys, ask_for):
    lake, between = twice
    name, *rest = ask_for
    words = [name, "--lake", str(lake), "--format", "json", "--as-of", to_text(between), *rest]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert [row["outcome"] for row in json.loads(shown.out)] == ["breached"]
    assert "what the lake knew at" in shown.err


def test_without_them_no_line_is_told(twice, capsys):
    assert main(["report", "sla", "--lake", str(twice[0]), "--format", "json"]) == 0
    assert capsys.readouterr().err == ""
