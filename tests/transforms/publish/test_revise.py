"""Revisions: what is said of some parcels is replaced, and nothing is written where nothing changes."""

import datetime
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rows import Finding
from schemas.tables import RECONCILIATION
from tests.builders import at
from tests.transforms.publish.rows import reveal, table_of
from transforms.publish.lake import Lake, connect
from transforms.publish.partitions import commit_partitions
from transforms.publish.revise import revise


def found(waybill, day=0, scans=1, carrier="acme", live=None):
    """Give a finding of a parcel on a day."""
    return Finding(carrier, waybill, "missed_live", "delivered", None, live, None, scans, "", "", at("09:00", day))


def concerning(*waybills):
    """Give the condition that tells what is concerned."""
    return f"tracking_number in ({', '.join(map(repr, waybills)) or 'null'})"


def turn(lake, rows, concerned, *, days=None):
    """Revise the table and commit it; give the partitions written and those whose files were replaced."""
    delta = lake.delta(RECONCILIATION)
    held = lake.partitions(RECONCILIATION, lake.files(RECONCILIATION, delta)) if delta else {}
    before = [file for (day, _), files in held.items() if days is None or day in days for file in files]
    with connect() as db, lake.writing():
        db.register("rows", table_of(RECONCILIATION, rows))
        written, replaced = revise(db, lake, RECONCILIATION, "rows", before, concerned)
        commit_partitions(lake, RECONCILIATION, written, replaced)
        reveal(lake)
    gone = lake.partitions(RECONCILIATION, [f"{lake.uri(RECONCILIATION)}/{path}" for path in replaced])
    return {tuple(one.partition.values()) for one in written}, set(gone)


def held(lake):
    """Give the rows of the table as readers see them."""
    with connect() as db:
        columns = [f"epoch_us({name})" if name.endswith("_ts") else name for name in RECONCILIATION.row_schema.names]
        rows = db.execute(f"select {', '.join(columns)} from {lake.rows(RECONCILIATION)}").fetchall()
    return sorted((Finding(*row) for row in rows), key=identity)


def identity(row):
    """Give the key of a finding."""
    return row.carrier, row.tracking_number


def where(row):
    """Give the partition that a finding belongs to."""
    day = datetime.datetime.fromtimestamp(row.at_ts / 1e6, datetime.UTC).date()
    return day.isoformat(), row.carrier


@pytest.fixture
def lake(tmp_path):
    """A lake with findings of four parcels, on two days."""
    lake = Lake(tmp_path / "lake").check(create=True)
    turn(lake, [found("t1"), found("t2"), found("t3", 1), found("t4", 1, carrier="b & co")], "true")
    return lake


MONDAY, TUESDAY = ("2026-03-02", "acme"), ("2026-03-03", "acme")


@pytest.mark.parametrize(
    ("rows", "concerned", "written", "replaced"),
    [
        pytest.param([found("t1")], ["t1"], [], [], id="the same again"),
        pytest.param([], ["t9"], [], [], id="nothing was known and nothing is"),
        pytest.param([found("t1", scans=2)], ["t1"], [MONDAY], [MONDAY], id="a value changes"),
        pytest.param([found("t1", live=at("08:00"))], ["t1"], [MONDAY], [MONDAY], id="nothing becomes something"),
        pytest.param([found("t1", 1)], ["t1"], [MONDAY, TUESDAY], [MONDAY, TUESDAY], id="it moves to another day"),
        pytest.param([found("t1", 2)], ["t1"], [MONDAY, ("2026-03-04", "acme")], [MONDAY], id="it moves to a new day"),
        pytest.param([found("t3", 0)], ["t3"], [MONDAY], [MONDAY, TUESDAY], id="it leaves a day with nothing"),
        pytest.param([], ["t3"], [], [TUESDAY], id="a day has nothing any more"),
        pytest.param([], ["t1"], [MONDAY], [MONDAY], id="one of two goes"),
        pytest.param([found("t9", 2)], ["t9"], [("2026-03-04", "acme")], [], id="a parcel that is new"),
        pytest.param([found("t4", 1, 7, "b & co")], ["t4"], [("2026-03-03", "b & co")], [("2026-03-03", "b & co")], id="another carrier"),
        pytest.param([found("t1"), found("t2", scans=3)], ["t1", "t2"], [MONDAY], [MONDAY], id="one of two changes"),
    ],
)  # fmt: skip
def test_only_partitions_in_which_something_changes_are_written(lake, rows, concerned, written, replaced):
    before = held(lake)
    assert turn(lake, rows, concerning(*concerned)) == ({*written}, {*replaced})
    kept = [row for row in before if row.tracking_number not in concerned]
    assert held(lake) == sorted([*kept, *rows], key=identity)
    folders = lake.path / "reconciliation"
    assert len(lake.files(RECONCILIATION, lake.delta(RECONCILIATION))) == len({where(row) for row in held(lake)})
    assert not any(path.stat().st_size == 0 for path in folders.rglob("*.parquet"))


def test_a_partition_that_nobody_looked_into_stays(lake):
    before = held(lake)
    assert turn(lake, [found("t3", 1, 5)], concerning("t3"), days={"2026-03-03"}) == ({TUESDAY}, {TUESDAY})
    assert held(lake) == [*before[:2], found("t3", 1, 5), before[3]]


def test_everything_anew_leaves_nothing_of_what_was(lake):
    everything = {MONDAY, TUESDAY, ("2026-03-03", "b & co")}
    assert turn(lake, [found("t8", 5)], "true") == ({("2026-03-07", "acme")}, everything)
    assert held(lake) == [found("t8", 5)]
    assert turn(lake, [], "true") == (set(), {("2026-03-07", "acme")})
    assert held(lake) == []


FINDINGS = st.builds(
    partial(msgspec.structs.replace, found("t0")),
    carrier=st.sampled_from(["acme", "b & co"]),
    tracking_number=st.sampled_from(["t1", "t2", "t3", "t4"]),
    scans=st.integers(1, 2),
    live_ts=st.sampled_from([None, at("08:00")]),
    at_ts=st.sampled_from([at("00:00"), at("23:59:59.999999"), at("1d 00:00"), at("2d 12:00")]),
)
WORLDS = st.lists(FINDINGS, max_size=8, unique_by=identity)


@settings(max_examples=25)
@given(before=WORLDS, turns=st.lists(st.tuples(WORLDS, st.sets(st.sampled_from(["t1", "t2", "t3", "t4"]))), max_size=3))
def test_any_revision_is_set_arithmetic(tmp_path_factory, before, turns):
    lake = Lake(tmp_path_factory.mktemp("any") / "lake").check(create=True)
    turn(lake, before, "true")
    rows = set(map(msgspec.structs.astuple, before))
    for said, concerned in turns:
        new = {msgspec.structs.astuple(row) for row in said if row.tracking_number in concerned}
        after = {row for row in rows if row[1] not in concerned} | new
        changed = {where(Finding(*row)) for row in rows ^ after}
        written, replaced = turn(lake, [Finding(*row) for row in new], concerning(*sorted(concerned)))
        assert written == changed & {where(Finding(*row)) for row in after}
        assert replaced == changed & {where(Finding(*row)) for row in rows}
        assert {msgspec.structs.astuple(row) for row in held(lake)} == after
        rows = after
