"""A lake that cannot be used says why in one clear sentence; one that can is read as a snapshot."""

import datetime
import json
import shutil
import threading

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from schemas.tables import ALERTS, EVENTS, MILESTONES, SCHEMA_VERSION, TABLES
from tests.builders import event
from tests.transforms.publish.rows import UP, add, held, scans
from transforms.publish.append import with_day
from transforms.publish.lake import MARK, Lake, LakeError, connect


@pytest.fixture
def lake(tmp_path):
    """A lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)


def sentence(fault) -> str:
    """Give the text of an error, having checked that it is one sentence."""
    text = str(fault.value)
    assert text[0].isupper(), text
    assert text.endswith("."), text
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def test_a_lake_is_made_once_and_marked(lake):
    assert json.loads((lake.path / MARK).read_text()) == {"schema": SCHEMA_VERSION}
    assert lake.check(create=True) is lake
    assert Lake(lake.path).check().path == lake.path
    assert [lake.delta(table) for table in TABLES.values()] == [None] * len(TABLES)


def test_a_table_that_was_never_written_has_no_rows(lake):
    for table in TABLES.values():
        with connect() as db:
            found = db.sql(f"from {lake.rows(table)}")
            assert found.columns == table.schema.names
            assert found.fetchall() == []


@pytest.mark.parametrize("create", [False, True])
def test_a_file_where_the_lake_should_be(tmp_path, create):
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(LakeError) as fault:
        Lake(tmp_path / "lake").check(create=create)
    assert str(tmp_path / "lake") in sentence(fault)


def test_a_file_above_the_lake(tmp_path):
    (tmp_path / "file").touch()
    for create in (False, True):
        with pytest.raises(LakeError) as fault:
            Lake(tmp_path / "file" / "lake").check(create=create)
        sentence(fault)


def test_no_lake(tmp_path):
    with pytest.raises(LakeError) as fault:
        Lake(tmp_path / "none").check()
    assert sentence(fault).startswith("There is no lake")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, "2"])
def test_a_lake_of_a_newer_milepost(lake, version):
    (lake.path / MARK).write_text(json.dumps({"schema": version}))
    with pytest.raises(LakeError, match="newer Milepost") as fault:
        lake.check()
    sentence(fault)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b"null", b"\xff"], ids=repr)
def test_a_damaged_mark(lake, text):
    (lake.path / MARK).write_bytes(text)
    with pytest.raises(LakeError, match="damaged") as fault:
        lake.check(create=True)
    sentence(fault)


def test_a_mark_that_is_a_folder(lake):
    (lake.path / MARK).unlink()
    (lake.path / MARK).mkdir()
    with pytest.raises(LakeError) as fault:
        lake.check()
    sentence(fault)


def write(lake, table, columns: pa.Table):
    """Write a table of any columns."""
    write_deltalake(lake.uri(table), columns, mode="overwrite", schema_mode="overwrite")


def test_a_column_that_is_not_known(lake):
    add(lake, EVENTS, scans(1))
    write(lake, EVENTS, pa.table({name: ["x"] for name in (*EVENTS.schema.names, "mood")}))
    with pytest.raises(LakeError, match=r"mood.*newer") as fault:
        lake.check()
    sentence(fault)


def test_a_column_that_is_missing(lake):
    write(lake, EVENTS, pa.table({"event_id": ["e1"]}))
    with pytest.raises(LakeError, match="no column order_id") as fault:
        lake.check()
    sentence(fault)


@pytest.fixture
def older(lake):
    """A lake of the schema before, which knew no successors."""
    add(lake, EVENTS, scans(3))
    rows = lake.delta(EVENTS).to_pyarrow_table().drop_columns(["successor"])
    shutil.rmtree(lake.uri(EVENTS))
    write_deltalake(lake.uri(EVENTS), rows, partition_by=list(EVENTS.partition))
    (lake.path / MARK).write_text(json.dumps({"schema": SCHEMA_VERSION - 1}))
    return lake


def test_a_column_that_came_later_is_null_in_an_older_lake(older):
    assert [row[1:2] + row[-1:] for row in held(older.check(), EVENTS)] == [("o0", None), ("o1", None), ("o2", None)]
    assert json.loads((older.path / MARK).read_text()) == {"schema": SCHEMA_VERSION - 1}


def test_an_older_lake_is_of_this_schema_once_it_is_written_to(older):
    older.check(create=True)
    assert json.loads((older.path / MARK).read_text()) == {"schema": SCHEMA_VERSION}
    told = event("cancelled", "0d 10:00", "o0", "t0", successor="t9")
    assert add(older, EVENTS, [*scans(4), told]) == 2
    assert sorted((row[1], row[-1] or "") for row in held(older, EVENTS) if row[1] in ("o0", "o3")) == [
        ("o0", ""),
        ("o0", "t9"),
        ("o3", ""),
    ]
    assert older.delta(EVENTS).to_pyarrow_table().num_rows == 5


@pytest.mark.parametrize("kind", [pa.int64(), pa.decimal128(21, 2)], ids=str)
def test_a_column_of_another_type(lake, kind):
    names = {name: ["1"] for name in EVENTS.schema.names if name != "event_id"}
    write(lake, EVENTS, pa.table({"event_id": pa.array([1]).cast(kind), **names}))
    with pytest.raises(LakeError, match=r"event_id \(string\)") as fault:
        lake.check()
    sentence(fault)


@pytest.mark.parametrize("damage", [b"", b"garbage\n", b'{"add": {}}\n', b"\xff\xfe"], ids=repr)
def test_a_damaged_log(lake, damage):
    add(lake, EVENTS, scans(1))
    (lake.path / "events" / "_delta_log" / "00000000000000000000.json").write_bytes(damage)
    with pytest.raises(LakeError, match="table events") as fault:
        lake.check()
    sentence(fault)


def test_an_older_version_of_a_table_can_be_read(lake):
    add(lake, EVENTS, scans(1))
    add(lake, EVENTS, scans(5))
    old = lake.delta(EVENTS, 0)
    with connect() as db:
        assert len(db.execute(f"from {lake.rows(EVENTS, old.file_uris())}").fetchall()) == 1
    assert len(held(lake, EVENTS)) == 5


@pytest.mark.parametrize("name", ["a lake", "it's", "a*b", "a?b", "100%", "a#b", "ä", "a{b}"])
def test_a_lake_in_a_folder_of_any_name(tmp_path, name):
    lake = Lake(tmp_path / name / "lake").check(create=True)
    assert add(lake, EVENTS, scans(3)) == 3
    assert add(lake, EVENTS, scans(4)) == 1
    assert len(held(lake, EVENTS)) == 4


@pytest.mark.parametrize("name", ["a[1]", "a%20b"])
def test_a_folder_whose_name_the_lake_format_cannot_bear(tmp_path, name):
    with pytest.raises(LakeError) as fault:
        Lake(tmp_path / name / "lake").check(create=True)
    sentence(fault)


def test_a_lake_named_by_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake = Lake("lake").check(create=True)
    assert [add(lake, EVENTS, scans(2)), add(lake, EVENTS, scans(2))] == [2, 0]


def test_the_files_are_zstd_parquet_by_day(lake):
    add(lake, EVENTS, scans(5))
    delta = DeltaTable(lake.uri(EVENTS))
    assert delta.metadata().partition_columns == list(EVENTS.partition)
    assert len(delta.file_uris()) == 5
    assert all("event_date=2026-03-0" in uri and ".zstd." in uri for uri in delta.file_uris())


def test_files_since_a_day_are_those_of_that_day_and_later_ones(lake):
    assert lake.held(EVENTS) == []
    add(lake, EVENTS, scans(5))
    days = sorted(day for (day,) in lake.partitions(EVENTS, lake.held(EVENTS)))
    assert len(days) == 5
    since = lake.held(EVENTS, datetime.date.fromisoformat(days[2]))
    assert sorted(day for (day,) in lake.partitions(EVENTS, since)) == days[2:]


def test_rows_come_back_with_their_types(lake):
    add(lake, ALERTS, [UP])
    ((_, _, *_, due, state_ts, _),) = held(lake, ALERTS)
    assert due == state_ts
    assert due.isoformat() == "2026-03-02T18:00:00+00:00"


def test_two_at_once_do_not_hold_the_write_lock(lake):
    order, entered = [], threading.Event()

    def second():
        entered.set()
        with lake.writing():
            order.append("second")

    with lake.writing():
        other = threading.Thread(target=second)
        other.start()
        entered.wait()
        other.join(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_the_day_is_that_of_utc():
    (day,) = with_day(MILESTONES, pa.Table.from_pylist(
        [{"order_id": "o", "tracking_number": "t", "milestone": "picked", "event_ts": 1772495999999999}],
        schema=MILESTONES.row_schema,
    ))["event_date"].to_pylist()  # fmt: skip
    assert day.isoformat() == "2026-03-02"
