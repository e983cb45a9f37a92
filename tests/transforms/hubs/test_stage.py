"""A bulk file laid aside: its scans by day and carrier, its bad rows by line, and one row that tells what became of it."""

import datetime
import gzip
import os
import resource
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import DAY, to_text
from schemas.profiles import read_profiles
from schemas.rows import HubFile
from tests.builders import MONDAY, at
from transforms.hubs import packing
from transforms.hubs.drop import File, place_of
from transforms.hubs.stage import PIECE, read_staged, stage

PROFILES = read_profiles()
DAY_OF_FILE = datetime.date(2026, 3, 2)
HEADER = "carrier,tracking_number,scan_ts,code,hub"


def laid(tmp_path, *lines, name="acme/2026-03-02.csv", data=None):
    """Stage a file of some lines; give what became of it and the folder of the night."""
    path, folder = tmp_path / "file", tmp_path / "night"
    folder.mkdir(exist_ok=True)
    if data is None:
        data = "".join(f"{line}\n" for line in (HEADER, *lines)).encode()
    path.write_bytes(data)
    os.utime(path, ns=(0, 5_000_000_000))
    file = File(str(path), name, *place_of(name), DAY_OF_FILE, "c0ffee")
    return stage(file, PROFILES, folder), folder


def pieces(staged):
    """Give what was laid aside, by day and carrier."""
    found = {}
    for partition, path in staged.pieces.items():
        table = read_staged(path)
        assert table.schema.equals(PIECE)
        rows = table.to_pylist()
        assert {(row["scan_ts"].date().isoformat(), row["carrier"]) for row in rows} == {tuple(partition)}
        found[tuple(partition)] = sorted(
            (row["tracking_number"], row["scan_ts"].strftime("%H:%M"), row["code"], row["hub"]) for row in rows
        )
    return found


def rejected(staged):
    """Give the rejections as (reason, line, raw)."""
    rows = read_staged(staged.rejected).to_pylist() if staged.rejected else []
    return [(row["reason"], row["position"], row["raw"]) for row in rows]


LINES = (
    "acme,T1,2026-03-02T10:00:00Z,hub_in,AMD",
    "acme,T2,2026-03-02T04:00:00+05:30,hub_in,AMD",
    "acme,T3,2026-03-02T22:00:00-05:00,hub_out,AMD",
    "b & co,T4,2026-03-02T10:00:00Z,delivered,",
    "acme,T1,2026-03-02T10:00:00Z,hub_in,AMD",
)


@pytest.mark.parametrize("block", [1, 60, packing.BLOCK], ids="blocks of {} bytes".format)
def test_scans_lie_apart_by_day_of_utc_and_carrier(tmp_path, monkeypatch, block):
    monkeypatch.setattr(packing, "BLOCK", block)
    staged, folder = laid(tmp_path, *(line.replace("delivered,", "delivered,BOM") for line in LINES))
    assert pieces(staged) == {
        ("2026-03-02", "acme"): [("T1", "10:00", "hub_in", "AMD")] * 2,
        ("2026-03-01", "acme"): [("T2", "22:30", "hub_in", "AMD")],
        ("2026-03-03", "acme"): [("T3", "03:00", "hub_out", "AMD")],
        ("2026-03-02", "b & co"): [("T4", "10:00", "delivered", "BOM")],
    }
    assert rejected(staged) == []
    assert {*map(str, folder.iterdir())} == {*staged.pieces.values()}
    assert staged.file == HubFile(
        "acme/2026-03-02.csv", "acme/2026-03-02.csv", "c0ffee", "taken", "", 5, 0, 5,
        at("22:30") - DAY, at("1d 03:00"), os.stat(tmp_path / "file").st_size, MONDAY, 5_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("block", [1, packing.BLOCK], ids="blocks of {} bytes".format)
def test_a_bad_row_is_set_aside_as_it_stands_and_the_rest_is_taken(tmp_path, monkeypatch, block):
    monkeypatch.setattr(packing, "BLOCK", block)
    bad = {
        3: ("missing_field", "acme,,2026-03-02T10:00:00Z,hub_in,AMD"),
        4: ("unknown_code", "acme,T5,2026-03-02T10:00:00Z,teleported,AMD"),
        6: ("invalid_carrier", "../x,T6,2026-03-02T10:00:00Z,hub_in,AMD"),
        7: ("malformed_row", "acme,T7"),
    }
    good = iter((LINES[0], LINES[1], LINES[2]))
    lines = [bad[number][1] if number in bad else next(good) for number in range(2, 9)]
    staged, _ = laid(tmp_path, *lines)
    assert sorted(rejected(staged), key=lambda row: row[1]) == [
        (reason, number, raw.encode()) for number, (reason, raw) in bad.items()
    ]
    row = staged.file
    assert (row.state, row.detail, row.rows, row.bad_rows, row.scans) == ("taken", "", 7, 4, 3)
    assert sum(map(len, pieces(staged).values())) == 3


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        pytest.param(MONDAY - 365 * DAY, None, id="a year late"),
        pytest.param(MONDAY - 365 * DAY - 1, "absurd_timestamp", id="more than a year late"),
        pytest.param(MONDAY + 2 * DAY - 1, None, id="by the end of the day anywhere"),
        pytest.param(MONDAY + 2 * DAY, "future_timestamp", id="after the end of the day anywhere"),
    ],
)
def test_scans_outside_the_span_of_the_service_day_are_rejected(tmp_path, when, reason):
    line = f"acme,T9,{to_text(when)},hub_in,AMD"
    staged, _ = laid(tmp_path, LINES[0], line)
    assert rejected(staged) == ([(reason, 3, line.encode())] if reason else [])
    assert (staged.file.scans, staged.file.bad_rows) == ((1, 1) if reason else (2, 0))
    assert reason or when in (staged.file.first_scan_ts, staged.file.last_scan_ts)


BAD = [f"acme,T{n},soon,hub_in,AMD" for n in range(6)]


@pytest.mark.parametrize(
    ("data", "reason", "rows", "bad"),
    [
        pytest.param(b"", "wrong_header", 0, 0, id="empty"),
        pytest.param(b"a,b,c\n1,2,3\n", "wrong_header", 0, 0, id="another header"),
        pytest.param("\n".join([HEADER, *LINES[:3], *BAD, ""]).encode(), "too_many_bad_rows", 9, 6, id="too bad"),
        pytest.param(gzip.compress("\n".join([HEADER, *LINES[:3], ""]).encode() * 99)[:-9], "unreadable_file", None, None, id="cut off"),
    ],
)  # fmt: skip
def test_a_file_that_is_refused_leaves_one_rejection_and_nothing_else(tmp_path, data, reason, rows, bad):
    staged, folder = laid(tmp_path, data=data, name="acme/2026-03-02.v2.csv.gz")
    assert staged.pieces == {}
    assert rejected(staged) == [(reason, 0, b"acme/2026-03-02.v2.csv.gz")]
    assert [str(path) for path in folder.iterdir()] == [staged.rejected]
    row = staged.file
    assert (row.state, row.detail.split()[0], row.scans) == ("quarantined", reason, 0)
    assert (row.first_scan_ts, row.last_scan_ts, row.size) == (None, None, len(data))
    assert (row.file, row.name) == ("acme/2026-03-02.csv", "acme/2026-03-02.v2.csv.gz")
    assert rows is None or (row.rows, row.bad_rows) == (rows, bad)


def test_a_file_refused_after_its_first_blocks_leaves_no_scan(tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "BLOCK", 64)
    staged, folder = laid(tmp_path, *LINES[:3], *BAD)
    assert (staged.pieces, len(list(folder.iterdir()))) == ({}, 1)
    assert rejected(staged)[0][0] == "too_many_bad_rows"


def test_a_file_that_has_gone_meanwhile_is_quarantined(tmp_path):
    file = File(str(tmp_path / "gone"), "acme/2026-03-02.csv", "acme/2026-03-02.csv", 0, DAY_OF_FILE)
    staged = stage(file, PROFILES, tmp_path)
    assert (staged.file.state, staged.file.size, staged.file.left_ts) == ("quarantined", 0, 0)
    assert rejected(staged) == [("unreadable_file", 0, b"acme/2026-03-02.csv")]


@pytest.mark.parametrize(("size", "content"), [(0, "c0ffee"), (1, "")], ids=["as hashed", "another since"])
def test_a_file_that_changed_since_it_was_hashed_is_read_again_next_night(tmp_path, size, content):
    path = tmp_path / "file"
    path.write_bytes(f"{HEADER}\n{LINES[0]}\n".encode())
    found = os.stat(path)
    left = found.st_size + size, found.st_mtime_ns // 1000
    name = "acme/2026-03-02.csv"
    staged = stage(File(str(path), name, name, 0, DAY_OF_FILE, "c0ffee", left), PROFILES, tmp_path)
    assert (staged.file.content, staged.file.scans) == (content, 1)


def test_two_files_refused_for_one_reason_are_two_rejections(tmp_path):
    ids = [
        read_staged(laid(tmp_path, data=b"", name=name)[0].rejected)["rejection_id"].to_pylist()
        for name in ("acme/2026-03-02.csv", "acme/2026-03-03.csv", "acme/2026-03-02.csv")
    ]
    assert ids[0] == ids[2] != ids[1]


@pytest.mark.parametrize("end", ["taken", "refused"])
def test_no_file_stays_open(tmp_path, end):
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        staged, _ = laid(tmp_path, *LINES[:3], *(BAD if end == "refused" else ()))
    assert len(os.listdir("/dev/fd")) == before
    assert staged.file.state == ("taken" if end == "taken" else "quarantined")


def test_a_file_of_a_whole_year_needs_no_more_open_files_than_a_system_gives(tmp_path):
    days = [to_text(MONDAY - number * DAY) for number in range(365)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        staged, _ = laid(tmp_path, *(f"acme,T{n},{day},hub_in,AMD" for n, day in enumerate(days)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(pieces(staged)) == 365


def damaged(data, cuts):
    """Change bytes here and there, or cut off the end."""
    text = bytearray(data)
    for place, byte in cuts:
        if byte < 0:
            del text[place % (len(text) + 1) :]
        elif text:
            text[place % len(text)] = byte
    return bytes(text)


@settings(max_examples=150)
@given(
    kind=st.sampled_from(["plain", "gzip", *(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]),
    cuts=st.lists(st.tuples(st.integers(0, 400), st.integers(-1, 255)), max_size=3),
)  # fmt: skip
def test_whatever_is_damaged_the_night_goes_on(tmp_path_factory, kind, cuts):
    tmp_path = tmp_path_factory.mktemp("any")
    whole = "\n".join([HEADER, *LINES, ""]).encode()
    if kind == "gzip":
        whole = gzip.compress(whole)
    elif kind != "plain":
        with zipfile.ZipFile(tmp_path / "zip", "w", kind) as archive:
            archive.writestr("scans.csv", whole)
        whole = (tmp_path / "zip").read_bytes()
    staged, _ = laid(tmp_path, data=damaged(whole, cuts))
    assert staged.file.state == ("quarantined" if not staged.pieces and staged.rejected else "taken")
    assert sum(map(len, pieces(staged).values())) == staged.file.scans
    if staged.file.state == "taken":
        assert len(rejected(staged)) == staged.file.bad_rows
    else:
        assert len(rejected(staged)) == 1
