"""Runs that follow one another on one lake, as people really start them: in parts, again, with another policy."""

from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.live import run_live
from pipelines.query import open_lake
from schemas.events import Event, to_json
from schemas.policy import Policy, read_policy
from tests.builders import event
from tests.pipelines.lakes import raw, replay
from tests.pipelines.worlds import lines
from transforms.publish.lake import Lake, LakeError


def alerts(lake: Path) -> list[tuple]:
    """Give the current alerts as (order, kind, state)."""
    with open_lake(lake) as db:
        return sorted(db.sql("select order_id, kind, state from current_alerts").fetchall())


def in_turn(folder: Path, *runs: list[Event]) -> Path:
    """Run one after another on one lake."""
    for number, run in enumerate(runs):
        lake = replay(lines(run), folder, name=f"run{number}")
    return lake


def test_a_parcel_left_open_is_judged_again_when_only_others_are_heard_of(tmp_path: Path):
    lake = in_turn(tmp_path, [event("picked", "09:00", "o1")], [event("picked", "5d 09:00", "o2", "t2")])
    assert alerts(lake) == [("o1", "pick_pack_delay", "raised")]


def test_the_horizon_of_a_lake_does_not_go_back(tmp_path: Path):
    late = [event("delivered", "9d 09:00", "o1")]
    lake = in_turn(tmp_path, late, [event("picked", "09:00", "o2", "t2")])
    assert alerts(lake) == [("o2", "pick_pack_delay", "raised")]


def test_a_reissue_heard_of_long_after_its_successor_came_in_time_raises_nothing(tmp_path: Path):
    came = [
        event(stage, when, "o1", "t2", carrier="ups")
        for stage, when in (("labeled", "09:40"), ("carrier_scanned", "10:00"), ("delivered", "15:00"))
    ]
    reissue = event("cancelled", "09:30", "o1", "t1", successor="t2", reason="retailer_reissued")
    lake = in_turn(tmp_path, came, [event("picked", "5d 09:00", "o2", "t9")], [reissue])
    assert alerts(lake) == []
    with open_lake(lake) as db:
        said = db.sql("select tracking_number, sla_status, successor from order_status order by all").fetchall()
        assert db.sql("select min(event_ts)::varchar from events where tracking_number = 't2'").fetchall() == [
            ("2026-03-02 09:30:00+00",)
        ]
    assert said == [("t1", "cancelled", "t2"), ("t2", "no_promise", None), ("t9", "no_promise", None)]


def test_a_reissue_that_got_its_order_from_the_lake_says_no_more_than_it_said(tmp_path: Path):
    """What follows of an event is what it said when it came, whatever is known of it since."""
    label = event("labeled", "09:00", "o1", "t1", carrier="ups")
    reissue = event("cancelled", "10:00", None, "t1", carrier="ups", successor="t2", reason="carrier_reissued")
    lake = in_turn(tmp_path / "turns", [label, reissue], [event("hub_in", "11:00", "o1", "t1")])
    whole = in_turn(tmp_path / "whole", [label, reissue, event("hub_in", "11:00", "o1", "t1")])
    assert raw(lake, "events") == raw(whole, "events")
    assert {row[6] for row in raw(lake, "events")} == {"t1"}


def test_a_promise_that_goes_back_and_forth_over_runs_is_told_as_it_stands(tmp_path: Path):
    first, between, last = "1d 09:00", "9d 09:00", "1d 09:00"
    runs = [
        [event("labeled", "12:00", promise=first), event("picked", "3d 12:00", "o9", "t9")],
        [event("labeled", "11:00", promise=between)],
        [event("labeled", "10:00", promise=last)],
    ]
    lake = in_turn(tmp_path / "turns", *runs)
    whole = in_turn(tmp_path / "whole", [one for run in runs for one in run])
    assert alerts(lake) == alerts(whole)
    assert ("o1", "sla_breached", "raised") in alerts(lake)


def test_a_policy_changed_and_changed_back_leaves_what_the_first_left(tmp_path: Path):
    (tmp_path / "slow.toml").write_text('[limits]\npick_pack_delay = "5 h"\n')
    (tmp_path / "a.jsonl").write_bytes(lines([event("picked", "09:00"), event("labeled", "13:00")]))
    told = []
    for policy in (None, tmp_path / "slow.toml", None):
        run_live(str(tmp_path / "a.jsonl"), str(tmp_path / "lake"), read_policy(policy))
        told.append(alerts(tmp_path / "lake"))
    assert told == [[("o1", "pick_pack_delay", "cleared")], [], [("o1", "pick_pack_delay", "cleared")]]


def test_reports_and_stories_follow_the_policy_of_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "p.toml").write_text(
        '[limits]\npick_pack_delay = "5 h"\n[carrier.ups]\nsla_at_risk = "10 h"\n[warehouse.w2]\nsla_at_risk = "1 h"\n'
    )
    world = [
        event("picked", "09:00", "o1", "t1", carrier="ups", promise="19:00"),
        event("packed", "10:00", "o1", "t1", carrier="ups"),
        event("picked", "10:00", "o2", "t2", carrier="ups", warehouse="w2", promise="19:00"),
        event("packed", "11:00", "o2", "t2", carrier="ups"),
    ]
    (tmp_path / "a.jsonl").write_bytes(lines(world))
    run_live(str(tmp_path / "a.jsonl"), str(tmp_path / "lake"), read_policy(tmp_path / "p.toml"))
    with open_lake(tmp_path / "lake") as db:
        assert sorted(db.sql("select order_id, sla_status from sla_status").fetchall()) == [
            ("o1", "at_risk"),
            ("o2", "on_track"),
        ]
    assert alerts(tmp_path / "lake") == [("o1", "sla_at_risk", "raised")]
    assert main(["explain", "--lake", str(tmp_path / "lake"), "o1"]) == 0
    said = capsys.readouterr().out
    assert "missed" not in next(text for text in said.splitlines() if "pick_pack_delay" in text)


SCAN = {"order": None, "waybill": "t1", "carrier": "ups"}


def test_an_event_without_an_order_is_kept_as_it_came_until_its_order_is_known(tmp_path: Path):
    scan = to_json(event("carrier_scanned", "12:00", **SCAN)) + b" "
    lake = replay(b"\n\n" + scan + b"\n", tmp_path, name="scan")
    (rejected,) = raw(lake, "rejections")
    assert (rejected[1], rejected[3], rejected[5], rejected[6]) == (
        "unknown_waybill",
        scan,
        str(tmp_path / "scan.jsonl"),
        3,
    )
    replay(lines([event("labeled", "11:00", carrier="ups")]), tmp_path, name="order")
    assert [row[2] for row in raw(lake, "first_milestones")] == ["carrier_scanned", "labeled"]


@pytest.mark.parametrize("waybill", ["T/1", "Té", 'a"b', "a\\b"])
def test_a_waybill_written_with_escapes_is_known_all_the_same(tmp_path: Path, waybill: str):
    def written(one: Event) -> bytes:
        text = to_json(one).decode().replace("/", "\\/")
        return text.encode("ascii", "backslashreplace").replace(b"\\xe9", b"\\u00e9") + b"\n"

    runs = [event("delivered", "09:10", waybill=waybill), event("picked", "09:00", waybill=waybill)]
    for number, one in enumerate([*runs, event("packed", "1d 09:00", "o2", "t2")]):
        lake = replay(written(one), tmp_path, name=f"run{number}")
    assert alerts(lake) == []


def test_cheap_parcels_get_visits_where_the_policy_says_so_but_no_review(tmp_path: Path):
    (tmp_path / "all.toml").write_text('[visits]\nparcels = "all"\n')
    world = [event("carrier_scanned", "09:00", value=10.0), event("picked", "3d 09:00", "o2", "t2")]
    (tmp_path / "a.jsonl").write_bytes(lines(world))
    run_live(str(tmp_path / "a.jsonl"), str(tmp_path / "lake"), read_policy(tmp_path / "all.toml"))
    assert len(raw(tmp_path / "lake", "visits")) == 1
    assert "silent_high_value" not in {kind for _, kind, _ in alerts(tmp_path / "lake")}


def test_one_live_run_at_a_time(tmp_path: Path):
    lake = replay(lines([event("picked")]), tmp_path)
    with Lake(lake).following(), pytest.raises(LakeError, match="Another live run"):
        run_live(str(tmp_path / "a.jsonl"), str(lake), Policy())


def test_a_folder_of_anything_is_no_lake(tmp_path: Path):
    with pytest.raises(LakeError, match="There is no lake"):
        Lake(tmp_path).check()
