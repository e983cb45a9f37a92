"""A partition of scans night after night: after any corrections it is what the last versions of its files say."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import to_batch
from schemas.rows import HubScan
from schemas.tables import HUB_SCANS
from tests.builders import at
from transforms.hubs.scans import Piece, write_scans
from transforms.hubs.stage import PIECE, Partition
from transforms.publish.lake import Lake, connect

MEANS = {"AR": ("hub_in", None), "DP": ("hub_out", None), "X": ("exception", "carrier_damaged")}
DB = connect()
"""One connection for all partitions, as a worker has: what one leaves on it must not harm the next."""
Scan = tuple[str, str, str, str]
"""Waybill, time of day, code, hub."""


def moment(clock: str) -> datetime.datetime:
    """Give a time of day as the lake gives it."""
    return datetime.datetime.fromtimestamp(at(clock) / 1e6, datetime.UTC)


class World:
    """One partition of a lake, and what the files of each place said last."""

    def __init__(self, tmp_path, carrier: str = "acme") -> None:
        self.lake = Lake(tmp_path / "lake").check(create=True)
        self.folder = tmp_path
        self.partition = Partition("2026-03-02", carrier)
        self.before: list[str] = []
        self.said: dict[str, set[Scan]] = {}
        self.touched: set[str] = set()

    def night(self, files: dict[str, list[Scan]], means=None) -> None:
        """Take files, whatever they are corrections of."""
        pieces = []
        for number, (place, scans) in enumerate(files.items()):
            rows = [
                HubScan(self.partition.carrier, waybill, at(clock), code, hub, *(means or MEANS)[code], place)
                for waybill, clock, code, hub in scans
            ]
            table = pa.Table.from_batches([to_batch(rows, HUB_SCANS.row_schema)])
            path = str(self.folder / f"piece-{number}")
            with pa.ipc.new_stream(path, PIECE) as out:
                out.write_table(table.select(PIECE.names).cast(PIECE))
            pieces += [Piece(place, path)] if scans else []
        waybills = self.folder / "waybills"
        written = write_scans(DB, self.lake, self.partition, self.before, pieces, set(files), waybills)
        self.touched = set(pq.read_table(waybills)["tracking_number"].to_pylist())
        self.before = [f"{self.lake.uri(HUB_SCANS)}/{written.path}"] if written else []
        self.said |= {place: set(scans) for place, scans in files.items()}

    def rows(self) -> list[tuple]:
        """Give the rows of the partition, in the order in which they lie in its file."""
        return DB.execute(f"select * exclude (service_date) from {self.lake.rows(HUB_SCANS, self.before)}").fetchall()

    def expected(self) -> list[tuple]:
        """Give the union of what the files say, each scan with all that hold it."""
        return sorted(
            (
                self.partition.carrier, waybill, moment(clock), code, hub, *MEANS[code],
                "|".join(sorted(place for place, held in self.said.items() if (waybill, clock, code, hub) in held)),
            )
            for waybill, clock, code, hub in set().union(*self.said.values())
        )  # fmt: skip


SCANS = st.tuples(
    st.sampled_from(["T1", "T2", "T3"]),
    st.sampled_from(["09:00", "17:30"]),
    st.sampled_from(sorted(MEANS)),
    st.sampled_from(["AMD", ""]),
)
PLACES = st.sampled_from(["acme/2026-03-01.csv", "acme/2026-03-02.csv", "acme/2026-03-02.csv0", "it's/a.csv"])
NIGHTS = st.lists(st.dictionaries(PLACES, st.lists(SCANS, max_size=6), min_size=1, max_size=3), min_size=1, max_size=5)


@settings(max_examples=25)
@given(NIGHTS)
def test_after_any_nights_the_partition_is_what_the_last_versions_of_its_files_say(tmp_path_factory, nights):
    world = World(tmp_path_factory.mktemp("world"))
    for files in nights:
        before = {row[1] for place in files for row in [("", *scan) for scan in world.said.get(place, ())]}
        world.night(files)
        assert world.rows() == world.expected()
        assert world.touched == before | {scan[0] for scans in files.values() for scan in scans}


A, B = "acme/2026-03-01.csv", "acme/2026-03-02.csv"
ONE, TWO = ("T1", "09:00", "AR", "AMD"), ("T2", "09:00", "AR", "AMD")


@pytest.mark.parametrize(
    ("nights", "rows", "touched"),
    [
        pytest.param([{A: [ONE, ONE]}], {"T1": A}, {"T1"}, id="the same line twice"),
        pytest.param([{A: [ONE], B: [ONE]}], {"T1": f"{A}|{B}"}, {"T1"}, id="two files overlap"),
        pytest.param([{B: [ONE]}, {A: [ONE]}], {"T1": f"{A}|{B}"}, {"T1"}, id="a file that came late overlaps"),
        pytest.param([{A: [ONE], B: [ONE]}, {A: [TWO]}], {"T1": B, "T2": A}, {"T1", "T2"}, id="one of two takes it back"),
        pytest.param([{A: [ONE], B: [ONE]}, {A: [], B: [TWO]}], {"T2": B}, {"T1", "T2"}, id="both take it back"),
        pytest.param([{A: [ONE, TWO]}, {A: [TWO]}], {"T2": A}, {"T1", "T2"}, id="a corrected file says less"),
        pytest.param([{A: [ONE]}, {B: [TWO]}], {"T1": A, "T2": B}, {"T2"}, id="another file leaves it alone"),
        pytest.param([{A: [ONE]}, {A: []}], {}, {"T1"}, id="nothing is left"),
        pytest.param([{A: []}, {A: [ONE]}], {"T1": A}, {"T1"}, id="there was nothing"),
    ],
)  # fmt: skip
def test_corrections(tmp_path, nights, rows, touched):
    world = World(tmp_path)
    for files in nights:
        world.night(files)
    assert {row[1]: row[-1] for row in world.rows()} == rows
    assert world.touched == touched
    assert rows or world.before == []


@pytest.mark.parametrize("place", ["a.b/c.csv", "it's/c.csv", 'a"b/c.csv', "a, b]/c.csv", "a%7Cb/c.csv", "ä/c.csv"])
def test_a_file_of_any_name_is_corrected(tmp_path, place):
    world = World(tmp_path)
    world.night({place: [ONE], B: [ONE, TWO]})
    world.night({place: [TWO]})
    assert world.rows() == world.expected()


def test_a_scan_read_in_two_ways_means_one_of_them(tmp_path):
    world = World(tmp_path)
    scan = ("T1", "09:00", "X", "AMD")
    world.night({A: [scan]})
    world.night({B: [scan]}, means={"X": ("hub_in", None)})
    ((*_, stage, reason, source),) = world.rows()
    assert (stage, reason) in [("exception", "carrier_damaged"), ("hub_in", None)]
    assert source == f"{A}|{B}"
