"""Nights that follow one another as they really do: day by day, again, with corrections, with webhooks that come late."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.query import open_lake
from pipelines.simulate import run
from schemas.events import to_json
from schemas.fields import to_text
from schemas.tables import HUB_FILES, HUB_SCANS, NIGHTLY
from tests.builders import MONDAY, event
from tests.pipelines.lakes import raw
from tests.pipelines.nights import (
    assert_same,
    assert_true,
    date,
    files_of,
    lines_until,
    live,
    night,
    put,
    said,
    versions,
)
from transforms.publish.lake import Lake

DAYS = 7
MIDDLE = 4
"""The night that is held against a lake that began with it."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make up some days of a small shop."""
    folder = tmp_path_factory.mktemp("nights") / "sim"
    run(folder, 500, DAYS, 24)
    return folder


@pytest.fixture(scope="module")
def whole(shop: Path) -> Path:
    """Take everything in at once."""
    lake = shop.parent / "whole"
    live(shop / "events.jsonl", lake)
    night(shop / "hub_scans", lake, 1, DAYS)
    return lake


@pytest.fixture(scope="module")
def by_night(shop: Path) -> Path:
    """Take in each day as it ends: flawed files first, their corrections two nights later, some events twice."""
    lake, drop, sent = shop.parent / "by_night", shop.parent / "drop", 0
    for day in range(1, DAYS + 1):
        come = lines_until(shop, day)
        # Some mornings the source is read from its beginning, some from where it was left.
        take(come[sent if day % 2 else 0 :], lake)
        sent = len(come)
        put(files_of(shop, day, corrected=False), drop)
        corrections = files_of(shop, day - 2, corrected=True) if day > 2 else []
        put(corrections, drop)
        night(drop, lake, *((max(day - 3, 1), day) if corrections else (day,)))
        if day == MIDDLE:
            shutil.copytree(lake, shop.parent / "middle")
            shutil.copytree(drop, shop.parent / "drop_in_the_middle")
    live(shop / "events.jsonl", lake)
    for day in (DAYS - 1, DAYS):
        put(files_of(shop, day, corrected=True), drop)
    night(drop, lake, 1, DAYS)
    return lake


def take(lines: list[bytes], lake: Path) -> None:
    source = lake.with_name(f"{lake.name}.jsonl")
    source.write_bytes(b"".join(lines))
    live(source, lake)


def test_all_at_once_is_the_truth(whole: Path, shop: Path):
    assert_true(whole, shop)


def test_night_by_night_leaves_the_truth_and_what_all_at_once_leaves(by_night: Path, whole: Path, shop: Path):
    assert sum(len(files_of(shop, day, corrected=True)) for day in range(1, DAYS + 1)) >= 2
    assert_true(by_night, shop)
    assert_same(said(by_night), said(whole))


def test_in_the_middle_too_it_says_what_a_lake_says_that_begins_there(by_night: Path, shop: Path):
    lake = shop.parent / "begins_in_the_middle"
    take(lines_until(shop, MIDDLE), lake)
    night(shop.parent / "drop_in_the_middle", lake, 1, MIDDLE)
    assert_same(said(shop.parent / "middle"), said(lake))


def test_a_rebuild_changes_no_row(by_night: Path, shop: Path, tmp_path: Path):
    lake = Path(shutil.copytree(by_night, tmp_path / "lake"))
    before = {table: raw(lake, table) for table in versions(lake)}
    night(shop.parent / "drop", lake, 1, DAYS, "--rebuild")
    assert {table: raw(lake, table) for table in versions(lake)} == before


def test_the_same_night_again_writes_nothing(whole: Path, shop: Path, capsys):
    rows, at, seen = said(whole), versions(whole), (whole / "night.json").read_bytes()
    capsys.readouterr()
    night(shop / "hub_scans", whole, 1, DAYS)
    night(shop / "hub_scans", whole, 3)
    assert re.findall(r"files: 0 taken, \d+ seen, 0 quarantined; 0 scans; rows written: none", capsys.readouterr().out)
    assert (versions(whole), (whole / "night.json").read_bytes()) == (at, seen)
    assert said(whole) == rows


def told_by_both(lake: Path) -> tuple[str, str, str, str]:
    """Give the id, order, waybill and stage of a delivery that came live and is in a file, before the last days."""
    with open_lake(lake) as db:
        return db.sql(
            f"""select event_id, order_id, tracking_number, stage
                from events join hub_scans using (carrier, tracking_number, stage)
                where stage = 'out_for_delivery' and abs(epoch(scan_ts) - epoch(event_ts)) < 60
                    and event_ts < '{date(DAYS - 2)}' and event_ts > '{date(3)}'
                order by declared_value desc, event_id limit 1"""
        ).fetchall()[0]


def test_a_webhook_that_comes_after_its_night_takes_the_place_of_what_the_night_fed(
    shop: Path, whole: Path, tmp_path: Path
):
    event_id, order_id, waybill, stage = told_by_both(whole)
    lines = (shop / "events.jsonl").read_bytes().splitlines(keepends=True)
    late = [line for line in lines if f'"event_id":"{event_id}"'.encode() in line]
    lake = tmp_path / "lake"
    take([line for line in lines if line not in late], lake)
    night(shop / "hub_scans", lake, 1, DAYS)
    finding = f"select finding from reconciliation where tracking_number = '{waybill}' and milestone = '{stage}'"
    fed = f"select event_id from events where tracking_number = '{waybill}' and stage = '{stage}'"
    with open_lake(lake) as db:
        assert db.sql(finding).fetchall() == [("missed_live",)]
        ((given,),) = db.sql(fed).fetchall()
        assert given.startswith("scan-")
    take(late, lake)
    held, at = files(lake), versions(lake)
    night(shop / "hub_scans", lake, 1, DAYS)
    with open_lake(lake) as db:
        assert db.sql(finding).fetchall() == []
        assert db.sql(fed).fetchall() == [(event_id,)]
    assert_same(said(lake), said(whole))
    # One parcel was heard of: no other day's rows are written anew, and nothing of what the files hold.
    assert [versions(lake)[table.name] - at[table.name] for table in (HUB_FILES, HUB_SCANS)] == [0, 0]
    for table, before in held.items():
        changed = {path.split("/", 1)[0] for path in files(lake)[table] ^ before}
        assert len(changed) <= 1, table
    with open_lake(lake) as db:
        ((day,),) = db.sql(f"select first_event_date from shipments where order_id = '{order_id}'").fetchall()
    assert {path.split("/")[0] for path in files(lake)["shipments"] ^ held["shipments"]} == {f"first_event_date={day}"}


def files(lake: Path) -> dict[str, set[str]]:
    """Give the files of each nightly table, within its folder."""
    held = Lake(lake)
    found = {}
    for table in NIGHTLY:
        delta = held.delta(table)
        assert delta is not None
        found[table.name] = {path.removeprefix(f"{held.uri(table)}/") for path in held.files(table, delta)}
    return found


def test_a_corrected_file_without_a_scan_leaves_what_a_lake_says_that_never_saw_it(
    shop: Path, whole: Path, tmp_path: Path
):
    lake, drop = Path(shutil.copytree(whole, tmp_path / "lake")), tmp_path / "drop"
    shutil.copytree(shop / "hub_scans", drop)
    with open_lake(lake) as db:
        fed = db.sql(
            """select e.event_id, s.tracking_number, s.code, s.hub, epoch_us(s.scan_ts), s.source
                from events e join hub_scans s on e.tracking_number = s.tracking_number and e.event_ts = s.scan_ts
                    and e.stage = s.stage
                where e.event_id like 'scan-%' and s.carrier = 'parcelway'"""
        ).fetchall()
    assert len(fed) >= 2
    for _, waybill, code, hub, ts, source in fed:
        row = f"parcelway,{waybill},{to_text(ts)},{code},{hub}"
        for place in source.split("|"):
            newest = sorted(drop.glob(place.replace(".csv", ".v?.csv"))) or [drop / place]
            lines = newest[-1].read_text().splitlines(keepends=True)
            kept = [line for line in lines if line.strip() != row]
            assert len(kept) < len(lines), f"{row} is in {newest[-1]}"
            (drop / place.replace(".csv", ".v9.csv")).write_text("".join(kept))
    night(drop, lake, 1, DAYS)
    with open_lake(lake) as db:
        left = {name for (name,) in db.sql("select event_id from events").fetchall()}
    assert left & {row[0] for row in fed} == set()
    never = tmp_path / "never"
    live(shop / "events.jsonl", never)
    night(drop, never, 1, DAYS)
    assert_same(said(lake), said(never))


def test_what_is_fed_is_gone_with_its_scan_and_comes_back_with_it(tmp_path: Path):
    valuable = {"carrier": "ups", "value": 900.0, "promise": "3d 12:00"}
    told = [event("labeled", "09:00", **valuable), event("carrier_scanned", "10:00", **valuable)]
    told.append(event("picked", "6d 00:00", "o9", "t9"))
    (tmp_path / "a.jsonl").write_bytes(b"".join(to_json(one) + b"\n" for one in told))
    live(tmp_path / "a.jsonl", tmp_path / "lake")
    rows = {
        "hub_in": "ups,t1,2026-03-02T12:00:00Z,hub_in,H1",
        "out": "ups,t1,2026-03-03T08:00:00Z,out_for_delivery,H1",
        "delivered": "ups,t1,2026-03-03T11:00:00Z,delivered,",
    }

    def after(*names: str) -> dict[str, list[tuple]]:
        file = tmp_path / "drop" / "anyone" / "2026-03-03.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        held = [row + ("van" if row.endswith(",") else "") for name, row in rows.items() if name in names]
        file.write_text("\n".join(["carrier,tracking_number,scan_ts,code,hub", *held, ""]))
        words = ["nightly", "--drop", str(tmp_path / "drop"), "--lake", str(tmp_path / "lake"), "--date", "2026-03-03"]
        assert main(words) == 0
        return said(
            tmp_path / "lake",
            {
                "milestones": "select milestone from milestones where order_id = 'o1'",
                "alerts": """select kind, state, state_ts::varchar from current_alerts where order_id = 'o1'""",
                "visits": "select start_ts::varchar, end_ts::varchar, events from visits",
                "outcome": "select outcome, delivered_at is null from shipments where order_id = 'o1'",
            },
        )

    silent = after("hub_in")
    assert silent == {
        "milestones": [("carrier_scanned",), ("labeled",)],
        "alerts": [
            ("silent_high_value", "raised", "2026-03-02 22:00:00+00"),
            ("sla_at_risk", "raised", "2026-03-05 08:00:00+00"),
            ("sla_breached", "raised", "2026-03-05 12:00:00+00"),
        ],
        "visits": [("2026-03-02 10:00:00+00", "2026-03-02 10:00:00+00", 1)],
        "outcome": [("breached", True)],
    }
    whole = after("hub_in", "out", "delivered")
    assert whole == {
        "milestones": [("carrier_scanned",), ("delivered",), ("labeled",), ("out_for_delivery",)],
        "alerts": [("silent_high_value", "cleared", "2026-03-03 08:00:00+00")],
        "visits": [
            ("2026-03-02 10:00:00+00", "2026-03-02 10:00:00+00", 1),
            ("2026-03-03 08:00:00+00", "2026-03-03 11:00:00+00", 2),
        ],
        "outcome": [("on_time", False)],
    }
    assert after("hub_in") == silent
    assert after("hub_in", "out", "delivered") == whole
    assert after() == silent
    assert json.loads((tmp_path / "lake" / "night.json").read_text())["horizon"] == MONDAY + 6 * 86_400_000_000
