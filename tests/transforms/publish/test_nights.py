"""Nights: one run at a time, all tables at once, and nothing left of a run that was cut off."""

import threading
from pathlib import Path

import msgspec
import pytest
from deltalake import DeltaTable

from schemas.night import Night
from schemas.rows import HubFile, HubLeg
from schemas.tables import EVENTS, HUB_FILES, HUB_LEGS, NIGHTLY
from tests.builders import MONDAY, at
from tests.transforms.publish.rows import add, held, scans, table_of
from transforms.publish.lake import NIGHT, Lake, LakeError, connect
from transforms.publish.nights import STAGING, concluding, finish, take_back
from transforms.publish.partitions import commit_partitions, write_partition


@pytest.fixture
def lake(tmp_path):
    """A lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)


def file(number):
    """Give the row of a file."""
    return HubFile(f"f{number}", f"f{number}", "", "taken", "", 1, 0, 1, None, None, 1, MONDAY, MONDAY)


def leg(number):
    """Give a leg."""
    return HubLeg("acme", f"t{number}", "AMD", at("09:00"), None, False, False, 1, None)


def commit(lake, table, rows, *, partition=("2026-03-02",), replaced=()):
    """Commit rows to a table, without showing them."""
    with connect() as db, lake.writing():
        db.register("given", table_of(table, rows))
        written = write_partition(db, lake, table, "from given", partition)
        return commit_partitions(lake, table, [written], replaced)


def run(lake, number):
    """Finish a night with one more row in two tables."""
    with concluding(lake):
        versions = {
            "hub_files": commit(lake, HUB_FILES, [file(number)]),
            "hub_legs": commit(lake, HUB_LEGS, [leg(number)], partition=("2026-03-02", "acme")),
        }
        with lake.writing():
            finish(lake, Night(versions, {"events": number}, MONDAY + number, f"r{number}"))


def seen(lake):
    """Give what readers see: waybills of legs and names of files."""
    return [row[1] for row in held(lake, HUB_LEGS)], [row[0] for row in held(lake, HUB_FILES)]


def killed(lake):
    """Leave what a run leaves that was killed after it had committed one table and begun the next."""
    commit(lake, HUB_LEGS, [leg(7)], partition=("2026-03-02", "acme"), replaced=shown(lake, HUB_LEGS))
    commit(lake, HUB_LEGS, [leg(8)], partition=("2026-03-02", "acme"))
    staging = lake.path / STAGING / "killed"
    staging.mkdir(parents=True)
    (staging / "piece").touch()
    (lake.path / f"{NIGHT}.new").write_text("{")


def shown(lake, table):
    """Give the paths within its folder of the files that readers of a table see."""
    delta = lake.delta(table)
    return [path.removeprefix(f"{lake.uri(table)}/") for path in lake.files(table, delta)] if delta else []


def test_only_one_run_at_a_time(lake):
    with concluding(lake) as folder:
        assert folder.is_dir()
        with pytest.raises(
            LakeError, match=r"^Another nightly run is writing to the lake at .*; wait for it to end\.$"
        ):
            concluding(lake).__enter__()
        assert folder.is_dir(), "the second one must not clear the first one's folder away"
    with concluding(lake):
        pass


def test_the_lock_is_given_back_by_a_run_that_fails(lake):
    with pytest.raises(ZeroDivisionError), concluding(lake) as folder:
        (folder / "piece").touch()
        raise ZeroDivisionError
    assert not folder.exists()
    with concluding(lake) as other:
        assert other != folder
        assert list(other.iterdir()) == []


def test_readers_do_not_see_a_night_before_its_end(lake):
    run(lake, 1)
    with concluding(lake):
        commit(lake, HUB_FILES, [file(2)])
        commit(lake, HUB_LEGS, [leg(2)], partition=("2026-03-02", "acme"), replaced=shown(lake, HUB_LEGS))
        assert seen(lake) == (["t1"], ["f1"])
        with lake.writing():
            finish(lake, Night({table.name: DeltaTable(lake.uri(table)).version() for table in (HUB_FILES, HUB_LEGS)}))
        assert seen(lake) == (["t2"], ["f1", "f2"])


def test_what_a_killed_run_committed_is_taken_back_and_readers_notice_nothing(lake):
    run(lake, 1)
    run(lake, 2)
    noted = lake.night()
    killed(lake)
    before = seen(lake)
    assert before == (["t1", "t2"], ["f1", "f2"])
    with concluding(lake) as folder:
        assert seen(lake) == before
        assert [path.name for path in (lake.path / STAGING).iterdir()] == [folder.name]
        newest = {table.name: DeltaTable(lake.uri(table)).version() for table in (HUB_FILES, HUB_LEGS)}
        assert lake.night().versions == newest, "what readers see is the newest again"
        assert (lake.night().seen, lake.night().horizon, lake.night().rules) == (noted.seen, noted.horizon, noted.rules)
    run(lake, 3)
    assert seen(lake) == (["t1", "t2", "t3"], ["f1", "f2", "f3"])


def test_a_run_killed_while_it_takes_back_is_no_worse(lake, monkeypatch):
    run(lake, 1)
    killed(lake)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(KeyboardInterrupt), concluding(lake):
            pass
    assert seen(lake) == (["t1"], ["f1"])
    run(lake, 2)
    assert seen(lake) == (["t1", "t2"], ["f1", "f2"])


def fail(*_):
    """Stand for the moment at which a run is killed."""
    raise KeyboardInterrupt


def test_a_table_that_no_night_ever_finished_disappears(lake):
    killed(lake)
    with concluding(lake):
        assert not Path(lake.uri(HUB_LEGS)).exists()
    run(lake, 1)
    assert seen(lake) == (["t1"], ["f1"])


def test_nothing_is_taken_back_where_nothing_was_left(lake):
    run(lake, 1)
    before = lake.night(), (lake.path / NIGHT).stat().st_mtime_ns
    with lake.writing():
        take_back(lake)
    assert (lake.night(), (lake.path / NIGHT).stat().st_mtime_ns) == before


def test_the_live_tables_are_left_alone(lake):
    run(lake, 1)
    add(lake, EVENTS, scans(3))
    with concluding(lake):
        assert len(held(lake, EVENTS)) == 3


def told(night):
    """Give a night without the time at which it was finished."""
    return msgspec.structs.replace(night, finished=0)


def test_a_night_is_the_old_one_until_it_is_the_new_one(lake, monkeypatch):
    old, new = Night({"hub_legs": 1}, {"events": 3}, 5, "a"), Night({"hub_legs": 2}, {"events": 4}, 6, "b")
    finish(lake, old)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            finish(lake, new)
    assert told(lake.night()) == old
    finish(lake, new)
    assert told(lake.night()) == new


def test_readers_meanwhile_see_whole_nights_alone(lake):
    nights = [Night({table.name: number for table in NIGHTLY}, {"events": number}, number) for number in range(200)]
    finish(lake, nights[0])
    writer = threading.Thread(target=lambda: [finish(lake, night) for night in nights])
    writer.start()
    found = []
    while writer.is_alive():
        found.append(told(lake.night()))
    writer.join()
    assert [night for night in found if night != nights[night.horizon]] == []
    assert found == sorted(found, key=lambda night: night.horizon)
    assert len({night.horizon for night in found}) > 1


def test_tables_opened_with_one_night_are_of_that_night(lake):
    run(lake, 1)
    pinned = lake.night()
    run(lake, 2)
    counts = [len(lake.files(table, lake.delta(table, night=pinned))) for table in (HUB_FILES, HUB_LEGS)]
    assert counts == [1, 1]
    assert [len(lake.files(table, lake.delta(table))) for table in (HUB_FILES, HUB_LEGS)] == [2, 2]
    assert lake.delta(HUB_LEGS, night=Night()) is None
