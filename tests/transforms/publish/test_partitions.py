"""Whole partitions: whatever the carrier is called, what was written is what is read, now and after any upkeep."""

import datetime
import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.rows import HubScan
from schemas.tables import HUB_SCANS
from tests.builders import at
from tests.transforms.publish.rows import reveal, table_of
from transforms.publish.lake import Lake, connect
from transforms.publish.partitions import commit_partitions, write_partition

DB = connect()
DAY = "2026-03-02"
CARRIERS = [
    "acme", "Blue Dart", "b&c", "100%", "50%25", "a.b", "a..b", ".", "d'or", 'a"b', "Österreich", "东", "a=b", "a/b",
    "a+b", "a#b?c", "a:b", "[a]{b}", "a\\b", "_x", "null",
]  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    """A lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)


def scan(waybill, carrier="acme", clock="09:00", hub="AMD"):
    """Give a scan."""
    return HubScan(carrier, waybill, at(clock), "AR", hub, "hub_in", None, "f")


def write(lake, *rows, day=DAY):
    """Write scans of one carrier as a file that no snapshot holds yet."""
    DB.register("given", table_of(HUB_SCANS, rows))
    return write_partition(DB, lake, HUB_SCANS, "from given", (day, rows[0].carrier))


def commit(lake, written, replaced=()):
    """Commit files, and let readers see them."""
    with lake.writing():
        version = commit_partitions(lake, HUB_SCANS, written, replaced)
        reveal(lake)
    return version


def read(lake):
    """Give what readers see, as (day, carrier, waybill)."""
    with connect() as db:
        return sorted(
            db.execute(f"select service_date::varchar, carrier, tracking_number from {lake.rows(HUB_SCANS)}").fetchall()
        )


def files(lake):
    """Give the files that readers see, by partition."""
    return lake.partitions(HUB_SCANS, lake.files(HUB_SCANS, lake.delta(HUB_SCANS)))


def relative(lake, paths):
    """Give paths within the table's folder."""
    return [path.removeprefix(f"{lake.uri(HUB_SCANS)}/") for path in paths]


def upkeep(lake):
    """Compact the table and remove what it does not hold."""
    with lake.writing():
        delta = DeltaTable(lake.uri(HUB_SCANS))
        delta.optimize.compact()
        delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        reveal(lake)


def test_carriers_of_any_name_are_written_committed_read_compacted_and_replaced(lake):
    first = [write(lake, scan("t1", carrier), scan("t2", carrier)) for carrier in CARRIERS]
    commit(lake, first)
    assert read(lake) == sorted((DAY, carrier, waybill) for carrier in CARRIERS for waybill in ("t1", "t2"))
    commit(lake, [write(lake, scan("t3", carrier)) for carrier in CARRIERS])
    expected = sorted((DAY, carrier, waybill) for carrier in CARRIERS for waybill in ("t1", "t2", "t3"))
    assert {partition: len(held) for partition, held in files(lake).items()} == dict.fromkeys(
        [(DAY, carrier) for carrier in CARRIERS], 2
    )
    assert read(lake) == expected
    upkeep(lake)
    assert read(lake) == expected
    assert {partition: len(held) for partition, held in files(lake).items()} == dict.fromkeys(
        [(DAY, carrier) for carrier in CARRIERS], 1
    )
    old = [path for held in files(lake).values() for path in held]
    commit(lake, [write(lake, scan("t4", carrier)) for carrier in CARRIERS], relative(lake, old))
    assert read(lake) == sorted((DAY, carrier, "t4") for carrier in CARRIERS)
    upkeep(lake)
    assert read(lake) == sorted((DAY, carrier, "t4") for carrier in CARRIERS)
    assert len(list(lake.path.rglob("*.parquet"))) == len(CARRIERS)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_was_written_takes_the_place_of_what_was_there(lake, carrier):
    commit(lake, [write(lake, scan("t1", carrier)), write(lake, scan("t1", "other"))])
    old = files(lake)[DAY, carrier]
    commit(lake, [write(lake, scan("t2", carrier))], relative(lake, old))
    assert read(lake) == sorted([(DAY, carrier, "t2"), (DAY, "other", "t1")])
    commit(lake, [], relative(lake, files(lake)[DAY, carrier]))
    assert read(lake) == [(DAY, "other", "t1")]


def test_files_are_added_and_replaced_in_one_version(lake):
    first = commit(lake, [write(lake, scan("t1")), write(lake, scan("t2", "b"))])
    old = [path for held in files(lake).values() for path in held]
    assert commit(lake, [write(lake, scan("t3")), write(lake, scan("t4", "c"))], relative(lake, old)) == first + 1
    assert read(lake) == [(DAY, "acme", "t3"), (DAY, "c", "t4")]
    with connect() as db:
        then = lake.files(HUB_SCANS, lake.delta(HUB_SCANS, first))
        assert len(db.execute(f"from {lake.rows(HUB_SCANS, then)}").fetchall()) == 2


def test_a_commit_of_nothing_makes_the_table_and_no_further_version(lake):
    version = commit(lake, [])
    assert commit(lake, []) == version
    assert read(lake) == []
    assert lake.delta(HUB_SCANS).metadata().partition_columns == list(HUB_SCANS.partition)


def test_a_file_that_was_never_committed_is_not_seen_and_goes_with_the_next_upkeep(lake):
    commit(lake, [write(lake, scan("t1"))])
    stray = write(lake, scan("t2"))
    assert read(lake) == [(DAY, "acme", "t1")]
    upkeep(lake)
    assert not (lake.path / HUB_SCANS.name / stray.path).exists()
    assert read(lake) == [(DAY, "acme", "t1")]


def test_a_partition_without_rows_is_no_file(lake):
    with connect() as db:
        db.register("given", table_of(HUB_SCANS, [scan("t1")]))
        assert write_partition(db, lake, HUB_SCANS, "from given where false", (DAY, "acme")) is None
    assert list(lake.path.rglob("*.parquet")) == []


ROWS = st.lists(
    st.builds(
        scan,
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40)
        | st.sampled_from(["x" * 300, "1 +00", "2026-03-02 09:00:00+00", "it's", '"', "\\", "null", "1", "01"]),
        clock=st.sampled_from(["00:00", "09:00:00.000001", "12:00", "23:59:59.999999"]),
        hub=st.sampled_from(["AMD", "", "ß"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30)
@given(ROWS)
@example([scan("1 +00")])
def test_a_file_is_sorted_by_key_and_its_statistics_hold_every_row(tmp_path_factory, rows):
    lake = Lake(tmp_path_factory.mktemp("any") / "lake").check(create=True)
    one = write(lake, *rows)
    path = lake.path / HUB_SCANS.name / one.path
    assert (one.rows, one.size, one.partition) == (
        len(rows),
        path.stat().st_size,
        {"service_date": DAY, "carrier": "acme"},
    )
    inside = pq.ParquetFile(path).read().to_pylist()
    keys = [tuple(row[name] for name in HUB_SCANS.key if name != "carrier") for row in inside]
    assert keys == sorted((r.tracking_number, moment(r), r.code, r.hub) for r in rows)
    stats = json.loads(one.stats)
    assert stats["numRecords"] == len(rows)
    least, greatest = stats["minValues"], stats["maxValues"]
    times = sorted(map(moment, rows))
    assert [datetime.datetime.fromisoformat(side["scan_ts"]) for side in (least, greatest)] == [times[0], times[-1]]
    assert stats["nullCount"]["scan_ts"] == 0
    if "tracking_number" in least:
        # Text is compared by its bytes in UTF-8, hence by code points.
        waybills = sorted(row.tracking_number for row in rows)
        assert least["tracking_number"] <= waybills[0]
        assert greatest["tracking_number"] >= waybills[-1]


def moment(row):
    """Give a scan's time as the lake gives it."""
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=row.scan_ts)


def test_readers_can_leave_files_out_by_waybill_and_by_time(lake):
    commit(
        lake,
        [
            write(lake, scan("a1"), scan("a9", clock="10:00")),
            write(lake, scan("b1", clock="11:00"), scan("b9", clock="12:00")),
        ],
    )
    dataset = lake.delta(HUB_SCANS).to_pyarrow_dataset()
    for condition in (pc.field("tracking_number") == "b5", pc.field("scan_ts") > moment(scan("", clock="10:30"))):
        (kept,) = dataset.get_fragments(filter=condition)
        assert {row["tracking_number"] for row in kept.to_table().to_pylist()} == {"b1", "b9"}
