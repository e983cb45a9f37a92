"""A simulated month against the truth of the simulator, which knows nothing of Milepost's rules."""

import shutil
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.query import open_lake
from pipelines.simulate import run
from tests.pipelines.lakes import differences, raw
from transforms.reconcile import parcels, stays

LIVE = {
    "milestones": "milestones",
    "first_milestones": "first_milestones",
    "alerts": "current_alerts",
    "visits": "visits",
    "rejections": "rejections",
}
NIGHTLY = {
    **{f"nightly/{name}": view for name, view in LIVE.items() if name != "rejections"},
    **{f"nightly/{name}": name for name in ("hub_scans", "hub_legs", "reconciliation", "shipments")},
}
TABLES = ("events", "hub_files", *NIGHTLY.values())
"""What the simulator says the truth is, and the table or view that must say the same: of the live side alone, and of
both sides together."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make up a month of a small shop."""
    folder = tmp_path_factory.mktemp("shop") / "sim"
    run(folder, 3_000, 30, 11)
    return folder


@pytest.fixture(scope="module")
def followed(shop: Path) -> Path:
    """Take the month in live."""
    folder = shop.parent / "live"
    live(shop / "events.jsonl", folder)
    return folder


@pytest.fixture(scope="module")
def lake(shop: Path, followed: Path) -> Path:
    """Take the month in, live and nightly."""
    folder = shop.parent / "lake"
    shutil.copytree(followed, folder)
    nightly(shop, folder)
    return folder


def live(source: Path, lake: Path, *more: str) -> None:
    assert main(["live", "--input", str(source), "--lake", str(lake), *more]) == 0


def nightly(shop: Path, lake: Path) -> None:
    span = ["--from", "2025-06-01", "--to", "2025-06-30"]
    assert main(["nightly", "--drop", str(shop / "hub_scans"), "--lake", str(lake), *span]) == 0


@pytest.mark.parametrize("name", LIVE)
def test_live_every_true_row_is_found_and_none_beside(followed: Path, shop: Path, name: str):
    count, lacking, extra = differences(followed, shop, name, LIVE[name])
    assert count > 0
    assert (lacking, extra) == ([], [])


@pytest.mark.parametrize("name", NIGHTLY)
def test_nightly_every_true_row_is_found_and_none_beside(lake: Path, shop: Path, name: str):
    count, lacking, extra = differences(lake, shop, name, NIGHTLY[name])
    assert count > 0
    assert (lacking, extra) == ([], [])


def test_a_night_is_the_same_however_little_it_takes_into_memory_at_a_time(followed, shop, tmp_path, monkeypatch):
    shutil.copytree(followed, tmp_path / "lake")
    monkeypatch.setattr(stays, "MOST", 700)
    monkeypatch.setattr(parcels, "MOST", 900)
    nightly(shop, tmp_path / "lake")
    for name in ("nightly/hub_legs", "nightly/shipments"):
        assert differences(tmp_path / "lake", shop, name, NIGHTLY[name])[1:] == ([], [])


def test_no_alert_lies_beyond_the_horizon(lake: Path):
    with open_lake(lake) as db:
        assert db.sql("select count(*) from alerts where due_ts > horizon()").fetchall() == [(0,)]


def test_the_same_replay_and_nights_again_leave_the_same_rows(lake: Path, shop: Path):
    def everything() -> dict:
        return {table: raw(lake, table) for table in (*TABLES, "alerts", "rejections")}

    before = everything()
    live(shop / "events.jsonl", lake)
    nightly(shop, lake)
    assert everything() == before


def test_half_and_then_all_leaves_what_all_leaves(followed: Path, shop: Path, tmp_path: Path):
    lines = (shop / "events.jsonl").read_bytes().splitlines(keepends=True)
    half = tmp_path / "half.jsonl"
    half.write_bytes(b"".join(lines[: len(lines) // 2]))
    live(half, tmp_path / "lake")
    live(shop / "events.jsonl", tmp_path / "lake")
    for name in ("events", "milestones", "visits", "current_alerts", "parcels"):
        hidden = "alert_id" if name == "current_alerts" else ""
        assert raw(tmp_path / "lake", name, hidden) == raw(followed, name, hidden), name
    with_source = "source, position, received_ts, received_date"
    assert raw(tmp_path / "lake", "rejections", with_source) == raw(followed, "rejections", with_source)


def test_one_bad_byte_in_a_hub_file_costs_one_row(tmp_path: Path):
    drop = tmp_path / "drop" / "northline"
    drop.mkdir(parents=True)
    rows = [b'northline,T1,2025-06-01T10:00:00Z,hub_in,"H 1"', b"northline,T\xff,2025-06-01T10:00:00Z,hub_in,H"]
    rows.append(b'northline,"T3",2025-06-01T11:00:00Z,hub_out,H')
    (drop / "2025-06-01.csv").write_bytes(b"carrier,tracking_number,scan_ts,code,hub\n" + b"\n".join(rows) + b"\n")
    (drop / "20250608.csv").write_bytes(b"not named as expected")
    arguments = ["nightly", "--drop", str(tmp_path / "drop"), "--lake", str(tmp_path / "lake"), "--date", "2025-06-01"]
    assert main(arguments) == 0
    assert [row[1] for row in raw(tmp_path / "lake", "hub_scans")] == ["T1", "T3"]
    ((_, reason, _, kept, _, source, position, *_),) = raw(tmp_path / "lake", "rejections")
    assert (reason, kept, source, position) == ("invalid_utf8", rows[1], "northline/2025-06-01.csv", 3)


def test_a_corrected_hub_file_takes_the_place_of_the_first(lake: Path, shop: Path, tmp_path: Path):
    drop = tmp_path / "drop"
    source = next(path for path in sorted((shop / "hub_scans" / "parcelway").glob("????-??-??.csv")))
    copy = drop / source.parent.name / source.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(source.read_bytes())
    arguments = ["nightly", "--drop", str(drop), "--lake", str(tmp_path / "lake"), "--date", source.stem]
    assert main(arguments) == 0
    whole = len(raw(tmp_path / "lake", "hub_scans"))
    header, *lines = source.read_bytes().splitlines(keepends=True)
    copy.write_bytes(header + b"".join(lines[:3]) + b"too,few\n" + b"c,t,2025-06-01,hub_in,H\n")
    assert main(arguments) == 0
    scans, rejected = raw(tmp_path / "lake", "hub_scans"), raw(tmp_path / "lake", "rejections")
    assert whole > len(scans) == len(set(lines[:3]))
    assert sorted((row[1], row[3], row[6]) for row in rejected) == [
        ("malformed_row", b"too,few", 5),
        ("naive_timestamp", b"c,t,2025-06-01,hub_in,H", 6),
    ]
