"""Nights that are killed, that meet another run, or that are read while they write: the old night or the new, whole."""

import json
import os
import random
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.query import open_lake
from pipelines.simulate import run
from schemas.tables import NIGHTLY
from tests.pipelines.nights import (
    LIVE_ROWS,
    NIGHT_ROWS,
    Command,
    assert_same,
    assert_true,
    flawed,
    lines_until,
    live,
    night,
    nightly_words,
    said,
    set_of,
    staging,
    versions,
    wait_for,
)

DAYS = 5
KILLS = int(os.environ.get("MILEPOST_KILLS", "20"))
READS = 500
COMMITS = ("hub_files", "hub_scans", "hub_legs", "reconciliation", "shipments", "events", "milestones", "alerts")
"""Tables in the order in which the night below commits them."""
FINGERPRINT = " union all ".join(f"select count(*), sum(hash(t)) from {table.name} t" for table in NIGHTLY)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make up some days of a small shop, and its files as they were before they were put right."""
    folder = tmp_path_factory.mktemp("kills") / "sim"
    run(folder, 250, DAYS, 29)
    flawed(folder, folder.parent / "flawed")
    return folder


@pytest.fixture(scope="module")
def old(shop: Path) -> Path:
    """Take everything in, of the files what they said at first, and those of the last day not yet."""
    lake = shop.parent / "old"
    live(shop / "events.jsonl", lake)
    night(shop.parent / "flawed", lake, 1, DAYS - 1)
    return lake


def again(old: Path, lake: Path) -> Path:
    """Give a lake that is as the old night left it."""
    shutil.rmtree(lake, ignore_errors=True)
    return Path(shutil.copytree(old, lake))


def commits(lake: Path, table: str) -> int:
    return len(os.listdir(lake / table / "_delta_log"))


def kill_after(command: Command, lake: Path, table: str, before: set[str]) -> None:
    """Kill a run the moment it has committed a table; `before` are the folders that earlier runs left."""
    # A run first takes back what a killed one committed: those commits are not meant.
    wait_for(lambda: bool(staging(lake) - before) or not command.running())
    base = commits(lake, table)
    wait_for(lambda: commits(lake, table) > base or not command.running())
    command.kill()


def is_torn(lake: Path) -> bool:
    """Tell whether nightly tables were committed that readers must not see yet."""
    newest, shown = versions(lake), json.loads((lake / "night.json").read_text())["versions"]
    return any(newest[table.name] != shown[table.name] for table in NIGHTLY)


def assert_between(now: dict[str, list[tuple]], old: dict[str, list[tuple]], new: dict[str, list[tuple]]) -> None:
    """Hold what events add to against what it was and will be: every row of both is there, and none is of neither."""
    for name in LIVE_ROWS:
        before, after, rows = set_of(old[name]), set_of(new[name]), set_of(now[name])
        assert rows <= before | after, name
        assert before & after <= rows, name
        assert len(now[name]) == len(rows), name


def test_a_night_killed_at_any_moment_is_the_old_night_until_a_rerun_makes_it_the_new_one(
    shop: Path, old: Path, tmp_path: Path
):
    lake, words = tmp_path / "lake", nightly_words(shop / "hub_scans", tmp_path / "lake", 1, DAYS)
    again(old, lake)
    before = said(old)
    began = time.monotonic()
    assert Command(tmp_path / "log", words).ended() == 0
    lasted = time.monotonic() - began
    after = said(lake)
    assert_true(lake, shop)
    for name in (*NIGHT_ROWS, *LIVE_ROWS):
        assert set_of(before[name]) != set_of(after[name]), f"the nights differ in {name}, or this shows nothing"
    assert set_of(before["events"]) - set_of(after["events"]), "something is taken back"

    rng, found = random.Random(31), Counter()
    again(old, lake)
    moments = [(number + rng.random()) / max(KILLS - len(COMMITS), 1) for number in range(KILLS - len(COMMITS))]
    for moment in rng.sample([*COMMITS, *moments], len(COMMITS) + len(moments)):
        if isinstance(moment, str) and moment not in NIGHT_ROWS:
            again(old, lake)
        left = staging(lake)
        command = Command(tmp_path / "log", words)
        if isinstance(moment, str):
            kill_after(command, lake, moment, left)
        else:
            command.process.join(moment * lasted)
            command.kill()
        found["torn"] += (torn := is_torn(lake))
        now = said(lake)
        if not torn and all(set_of(now[name]) == set_of(after[name]) for name in NIGHT_ROWS):
            # It had come to its end.
            found["ended"] += 1
            assert_same(now, after)
            again(old, lake)
            continue
        found["killed"] += 1
        found["part way"] += any(set_of(now[name]) != set_of(before[name]) for name in LIVE_ROWS)
        assert_same({name: now[name] for name in NIGHT_ROWS}, {name: before[name] for name in NIGHT_ROWS})
        assert_between(now, before, after)
    print(f"{KILLS} kills: {dict(found)}; a run lasts {lasted:.1f} s")
    assert found["killed"] >= KILLS // 2
    assert found["torn"] >= len(COMMITS) // 2, "kills fall between the commits of different tables"
    assert found["part way"] >= 1
    night(shop / "hub_scans", lake, 1, DAYS)
    assert_same(said(lake), after)
    assert_true(lake, shop)
    assert not is_torn(lake)
    assert staging(lake) == set(), "nothing is left lying"


def test_of_two_nights_at_once_the_second_is_refused_and_the_first_unharmed(
    shop: Path, old: Path, tmp_path: Path, capsys
):
    lake = again(old, tmp_path / "lake")
    words = nightly_words(shop / "hub_scans", lake, 1, DAYS)
    first = Command(tmp_path / "log", words)
    wait_for(lambda: bool(staging(lake)) or not first.running())
    capsys.readouterr()
    assert main(words) == 1
    told = capsys.readouterr().err
    assert first.running(), "they met"
    assert told == f"milepost: Another nightly run is writing to the lake at {lake}; wait for it to end.\n"
    assert first.ended() == 0
    assert_true(lake, shop)


def test_a_live_run_and_a_night_at_once_both_end_and_no_event_is_lost(shop: Path, tmp_path: Path):
    lake, part = tmp_path / "lake", tmp_path / "part.jsonl"
    part.write_bytes(b"".join(lines_until(shop, DAYS // 2)))
    live(part, lake)
    night(shop / "hub_scans", lake, 1, 1)
    beside = Command(tmp_path / "log", nightly_words(shop / "hub_scans", lake, 1, DAYS))
    wait_for(lambda: bool(staging(lake)) or not beside.running())
    live(shop / "events.jsonl", lake)
    assert beside.ended() == 0
    live_beside = Command(tmp_path / "log", ["live", "--input", str(shop / "events.jsonl"), "--lake", str(lake)])
    night(shop / "hub_scans", lake, 1, DAYS)
    assert live_beside.ended() == 0
    night(shop / "hub_scans", lake, 1, DAYS)
    assert_true(lake, shop)


def test_readers_see_whole_nights_while_nights_follow_one_another(shop: Path, old: Path, tmp_path: Path):
    lake, stop = again(old, tmp_path / "lake"), tmp_path / "stop"
    nights = {}
    drops = [shop / "hub_scans", shop.parent / "flawed"]
    for drop in drops:
        night(drop, lake, 1, DAYS)
        with open_lake(lake) as db:
            nights[tuple(db.sql(FINGERPRINT).fetchall())] = drop.name
    assert len(nights) == 2
    assert len(set(zip(*nights, strict=True))) == len(NIGHTLY), "the nights differ in every table"
    # The files of both drop folders have the same places: each night corrects the other.
    words = [nightly_words(drop, lake, 1, DAYS) for drop in drops]
    writer = Command(tmp_path / "log", *words, until=stop, pause=2)

    def read(_: int) -> str:
        with open_lake(lake) as db:
            return nights.get(tuple(db.sql(FINGERPRINT).fetchall()), "a mixture")

    with ThreadPoolExecutor(2) as readers:
        seen = list(readers.map(read, range(READS)))
    assert writer.running(), "they write all the while"
    stop.touch()
    assert writer.ended() == 0, (tmp_path / "log").read_text()
    changes = sum(one != other for one, other in pairwise(seen))
    print(f"{len(seen)} reads, {dict(Counter(seen))}, {changes} changes of the night")
    assert "a mixture" not in seen
    assert changes >= 5
