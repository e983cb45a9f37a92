"""Maintenance changes no row, and takes no file from under a reader."""

from pathlib import Path

import pytest

from schemas.rows import HubScan
from schemas.tables import EVENTS, HUB_SCANS
from tests.builders import at, event
from tests.transforms.publish.rows import add
from transforms.publish.lake import Lake, LakeError, connect
from transforms.publish.maintain import maintain


def test_a_night_stays_the_same_night_when_its_files_become_few(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    for n in range(4):
        add(lake, HUB_SCANS, [HubScan("ups", f"t{n}", at("09:00"), "AR", "h", "hub_in", None, "ups/a.csv")])
    files = lake.files(HUB_SCANS, lake.delta(HUB_SCANS))
    done = maintain(lake, HUB_SCANS, 1)
    assert (done.files_before, done.files_after) == (4, 1)
    assert len(files) == 4 and len(lake.files(HUB_SCANS, lake.delta(HUB_SCANS))) == 1
    with connect() as db:
        assert db.execute(f"select count(*) from {lake.rows(HUB_SCANS)}").fetchall() == [(4,)]


def held(lake: Lake, files: list[str] | None = None) -> list[tuple]:
    with connect() as db:
        return sorted(db.execute(f"from {lake.rows(EVENTS, files)}").fetchall(), key=repr)


def test_many_small_files_become_few_and_the_rows_stay(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    assert maintain(lake, EVENTS, 1) is None
    for n in range(6):
        add(lake, EVENTS, [event("picked", f"{n % 2}d 0{n}:00", id=f"e{n}")])
    before, snapshot = held(lake), lake.files(EVENTS, lake.delta(EVENTS))
    done = maintain(lake, EVENTS, 1)
    assert (done.files_before, done.files_after, done.removed) == (6, 2, 0)
    assert held(lake) == before == held(lake, snapshot), "a reader of the old snapshot goes on"
    assert add(lake, EVENTS, [event("picked", "00:00", id="e0")]) == 0


def test_a_damaged_file_is_named_and_nothing_is_removed(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    for n in range(2):
        add(lake, EVENTS, [event("picked", f"0{n}:00", id=f"e{n}")])
    damaged, other = lake.held(EVENTS)
    Path(damaged).write_bytes(b"half")
    with pytest.raises(
        LakeError, match=f"The table events of the lake at {lake.path} cannot be tended: .+{Path(damaged).name}"
    ):
        maintain(lake, EVENTS, 0)
    assert lake.held(EVENTS) == [damaged, other]
    assert Path(other).exists()


def test_what_nobody_holds_is_removed_once_the_retention_has_passed(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    for n in range(3):
        add(lake, EVENTS, [event("picked", f"0{n}:00", id=f"e{n}")])
    orphan = tmp_path / "lake" / "events" / "event_date=2026-03-02" / "part-left-by-a-killed-run.parquet"
    orphan.write_bytes(b"half")
    before = held(lake)
    done = maintain(lake, EVENTS, 0)
    assert done.removed == 4
    assert not orphan.exists()
    assert held(lake) == before
