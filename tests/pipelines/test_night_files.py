"""Bad files from the command line: taken right or quarantined whole with the reason, and their neighbours are taken."""

import datetime
import gzip
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines import nightly
from pipelines.cli import main
from pipelines.query import open_lake
from tests.pipelines.nights import date, night
from transforms.hubs import packing
from transforms.hubs.normalise import judge

HEADER = "carrier,tracking_number,scan_ts,code,hub"
USPS = "trackingNumber,eventTimestamp,eventCode,eventZIP,GMTOffset"
GOOD = "2025-06-01T10:00:00Z,hub_in,H1"
LIMIT = 50_000


def text(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def zipped(content: bytes, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return packed.getvalue()


def flagged(archive: bytes, here: int, there: int, value: int) -> bytes:
    """Set a byte of a zip's entry, and of the directory's."""
    changed, directory = bytearray(archive), archive.index(b"PK\x01\x02")
    changed[here] = changed[directory + there] = value
    return bytes(changed)


class Case(NamedTuple):
    """A file, and what must become of it.

    Attributes:
        content: its bytes.
        why: how the reason of its quarantine begins; empty where it is taken.
        waybills: of the scans that are taken.
        rejected: reasons for which single rows of it are not.
        folder: of its carrier; the others write the canonical file.
        packed: the end of its name.
    """

    content: bytes
    why: str = ""
    waybills: str = ""
    rejected: tuple[str, ...] = ()
    folder: str = ""
    packed: str = ""


ROWS = f"x,A,{GOOD}", f"x,B,{GOOD}"
MANY = tuple(f"{number},2025-06-01T10:00:00,07,10001,-04:00" for number in range(10))
CASES = {
    "as it should be": Case(text(*ROWS), waybills="AB"),
    "byte order mark": Case(b"\xef\xbb\xbf" + text(*ROWS), waybills="AB"),
    "ends of lines of Windows": Case(text(*ROWS).replace(b"\n", b"\r\n"), waybills="AB"),
    "UTF-16": Case(text(*ROWS).decode().encode("utf-16"), "wrong_header"),
    "UTF-16 without a mark": Case(text(*ROWS).decode().encode("utf-16-be"), "wrong_header"),
    "Latin-1 in UTF-8": Case(text(*ROWS, "x,C,2025-06-01T10:00:00Z,hub_in,K").replace(b",K", b",K\xf6ln"), "", "AB",
                             ("invalid_utf8",)),
    "columns in another order": Case(text("H1,hub_in,2025-06-01T10:00:00Z,A,x",
                                          header="hub,code,scan_ts,tracking_number,carrier"), waybills="A"),
    "a column is missing": Case(text("x,A,2025-06-01T10:00:00Z,hub_in", header=HEADER[:-4]),
                                "wrong_header the header lacks the column hub"),
    "a column has another name": Case(text(*ROWS, header=HEADER[:-3] + "depot"),
                                      "wrong_header the header lacks the column hub"),
    "a column is there twice": Case(text(f"{ROWS[0]},H2", header=HEADER + ",hub"),
                                    "wrong_header the header has twice the column hub"),
    "a new column": Case(text(*(f"{row},new" for row in ROWS), header=HEADER + ",mood"), waybills="AB"),
    "rows that do not have the new column": Case(text(*ROWS, header=HEADER + ",mood"), "too_many_bad_rows"),
    "semicolons": Case(text(*ROWS).replace(b",", b";"), "wrong_header"),
    "rows with semicolons": Case(HEADER.encode() + b"\n" + "\n".join(ROWS).replace(",", ";").encode() + b"\n",
                                 "too_many_bad_rows"),
    "quotes": Case(text('x,"A","2025-06-01T10:00:00Z",hub_in,"H, 1"', 'x,B,2025-06-01T10:00:00Z,hub_in,"a ""b"""'),
                   waybills="AB"),
    "a quote that does not end": Case(text(f'x,"A,{GOOD}', ROWS[1]), "", "B", ("malformed_row",)),
    "years of two digits": Case(text(*ROWS).replace(b"2025", b"25"), "too_many_bad_rows"),
    "days and months of two digits, years too": Case(
        text("A,010625,1000,DLV,BOM", "B,010625,1100,DLV,BOM",
             header="strShipmentNo,strActionDate,strActionTime,strCode,strOrigin"), "too_many_bad_rows", folder="dtdc"),
    "a day that is in no calendar": Case(text(*ROWS, "x,C,2025-02-30T10:00:00Z,hub_in,H"), "", "AB",
                                         ("invalid_timestamp",)),
    "an hour that is in no day": Case(text(*ROWS, "x,C,2025-06-01T25:00:00Z,hub_in,H"), "", "AB",
                                      ("invalid_timestamp",)),
    "nothing but such days": Case(text(*ROWS).replace(b"06-01", b"13-01"), "too_many_bad_rows"),
    "a time long gone, one to come, one without zone": Case(
        text(*ROWS, "x,C,2021-06-01T10:00:00Z,hub_in,H", "x,D,2025-07-01T10:00:00Z,hub_in,H",
             "x,E,2025-06-01T10:00:00,hub_in,H"), "", "AB",
        ("absurd_timestamp", "future_timestamp", "naive_timestamp")),
    "a trailer of other rows": Case(text(*MANY, "#EOF 11", header=USPS), "wrong_trailer the trailer tells of 11",
                                    folder="usps"),
    "a trailer cut short": Case(text("A|1", header="a|b") + b"TRAILER|1", "wrong_header", folder="fedex"),
    "empty": Case(b"", "wrong_header the file is empty"),
    "nothing but ends of lines": Case(b"\n\r\n\n", "wrong_header the file is empty"),
    "nothing but zeros": Case(bytes(300), "wrong_header"),
    "a page of a portal": Case(b"<!doctype html>\n<html><body>503</body></html>\n", "wrong_header"),
    "named as packed, and is not": Case(text(*ROWS), waybills="AB", packed=".gz"),
    "packed, and not named so": Case(gzip.compress(text(*ROWS)), waybills="AB"),
    "damaged inside": Case(gzip.compress(text(*ROWS))[:-6] + b"\0" * 6, "unreadable_file", packed=".gz"),
    "unpacks to too much": Case(gzip.compress(text(*ROWS * 2_000)), "unreadable_file the file unpacks to more than"),
    "unpacks to too much from zip": Case(zipped(text(*ROWS * 2_000), "a.csv"),
                                         "unreadable_file the file unpacks to more than", packed=".zip"),
    "unpacks to too much in one line": Case(gzip.compress(text("x" * 60_000)),
                                            "unreadable_file the file unpacks to more than", packed=".gz"),
    "behind a password": Case(flagged(zipped(text(*ROWS), "a.csv"), 6, 8, 1), "unreadable_file", packed=".zip"),
    "packed by a strange method": Case(flagged(zipped(text(*ROWS), "a.csv"), 8, 10, 99), "unreadable_file", packed=".zip"),
    "two files in one": Case(zipped(text(*ROWS), "a.csv", "b.csv"), "unreadable_file the zip has 2", packed=".zip"),
}  # fmt: skip


def folder_of(name: str) -> str:
    return CASES[name].folder or name.replace(" ", "_").replace(",", "")


def judged(lake: Path) -> dict[str, tuple[str, str, int]]:
    """Give the state of each file by its place, the reason, and how many of its rows are bad."""
    with open_lake(lake) as db:
        rows = db.sql("select file, state, detail, bad_rows from hub_files").fetchall()
    return {file: (state, detail, bad) for file, state, detail, bad in rows}


def scans(lake: Path) -> list[tuple]:
    """Give place, waybill, time, code, hub and stage of every scan, and make sure that nothing of it is missing."""
    with open_lake(lake) as db:
        nothing = " or ".join(f"{name} is null" for name in ("carrier", "tracking_number", "code", "hub", "stage"))
        assert db.sql(f"from hub_scans where {nothing} or scan_ts is null or source is null").fetchall() == []
        return db.sql(
            """select unnest(string_split(source, '|')) as file, tracking_number, scan_ts::varchar, code, hub, stage
                from hub_scans order by all"""
        ).fetchall()


def reasons(lake: Path) -> list[tuple[str, str]]:
    """Give source and reason of every rejection."""
    with open_lake(lake) as db:
        return db.sql("select source, reason from rejections order by all").fetchall()


def write(drop: Path, name: str, content: bytes) -> Path:
    (drop / name).parent.mkdir(parents=True, exist_ok=True)
    (drop / name).write_bytes(content)
    return drop / name


def test_a_bad_file_is_quarantined_whole_or_costs_its_bad_rows_until_it_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setitem(judge.__kwdefaults__, "most_bytes", LIMIT)
    drop, lake = tmp_path / "drop", tmp_path / "lake"
    for name, case in CASES.items():
        write(drop, f"{folder_of(name)}/{date(1)}.csv{case.packed}", case.content)
    night(drop, lake)
    found, held, rejected = judged(lake), scans(lake), reasons(lake)
    for name, case in CASES.items():
        place = f"{folder_of(name)}/{date(1)}.csv"
        state, detail, bad = found[place]
        assert (state, detail.startswith(case.why)) == ("quarantined" if case.why else "taken", True), (name, detail)
        assert [row[1] for row in held if row[0] == place] == list(case.waybills), name
        of_rows = sorted(reason for source, reason in rejected if source == place + case.packed)
        assert of_rows == ([case.why.split()[0]] if case.why else sorted(case.rejected)), name
        assert case.why or bad == len(case.rejected), name
    assert {row[2:] for row in held if row[4] == "H1"} == {("2025-06-01 10:00:00+00", "hub_in", "H1", "hub_in")}
    assert {row[4] for row in held} == {"H1", "H, 1", 'a "b"'}
    assert counted(drop, lake, capsys) == (0, len(CASES), 0), "what was judged is not read again"
    assert reasons(lake) == rejected
    bad = [name for name, case in CASES.items() if case.why]
    for name in bad:
        carrier = folder_of(name)
        content = text(f"{carrier},R,{GOOD}")
        write(drop, f"{carrier}/{date(1)}.csv{CASES[name].packed}", content)
    assert counted(drop, lake, capsys) == (len(bad), len(CASES) - len(bad), 0)
    assert {state for state, *_ in judged(lake).values()} == {"taken"}
    assert len([row for row in scans(lake) if row[1] == "R"]) == len(bad)


def counted(drop: Path, lake: Path, capsys, last: int | None = None) -> tuple[int, ...]:
    """Take the files in once more; give how many are taken, seen and quarantined."""
    capsys.readouterr()
    night(drop, lake, 1, last)
    match = re.search(r"files: ([\d,]+) taken, ([\d,]+) seen, ([\d,]+) quarantined", capsys.readouterr().out)
    assert match
    return tuple(int(number.replace(",", "")) for number in match.groups())


def test_a_file_cut_at_any_byte_is_never_read_wrong(tmp_path: Path, capsys):
    """One service day holds the file cut at its first byte, the next day the one cut at its second, and so on."""
    drop, lake = tmp_path / "drop", tmp_path / "lake"
    expected, states = [], {}
    for kind in ("plain", "usps", "packed"):
        for cut in range(len(whole(kind, 0)) + 1):
            day = (datetime.date(2025, 6, 1) + datetime.timedelta(days=cut)).isoformat()
            content, place = whole(kind, cut), f"{kind}/{day}.csv"
            write(drop, place + (".gz" if kind == "packed" else ""), content[:cut])
            rows = rows_left(kind, content, cut)
            states[place] = "quarantined" if rows is None else "taken"
            expected += [(place, f"{kind[0]}{cut:03}{row}") for row in range(rows or 0)]
    words = ["nightly", "--drop", str(drop), "--lake", str(lake), "--from", "2025-06-01", "--to", "2026-05-31"]
    assert main(words) == 0
    assert {place: state for place, (state, *_) in judged(lake).items()} == states
    held = scans(lake)
    assert [row[:2] for row in held] == sorted(expected)
    assert {row[2:] for row in held} == {
        ("2025-06-01 10:00:00+00", "hub_in", "H1", "hub_in"),
        ("2025-06-01 14:00:00+00", "07", "10001", "hub_in"),
    }
    capsys.readouterr()
    assert main(words) == 0
    assert f"files: 0 taken, {len(states)} seen, 0 quarantined" in capsys.readouterr().out


ROW = "%s,%s,2025-06-01T10:00:00Z,hub_in,H1%s"


def whole(kind: str, number: int) -> bytes:
    """Give a sound file of two rows; its waybills tell its kind and number."""
    waybills = [f"{kind[0]}{number:03}{row}" for row in range(2)]
    if kind == "usps":
        rows = [f"{waybill},2025-06-01T10:00:00,07,10001,-04:00" for waybill in waybills]
        return text(*rows, "#EOF 2", header=USPS)
    content = text(*(ROW % (kind, waybill, "") for waybill in waybills))
    return content if kind == "plain" else gzip.compress(content, compresslevel=0, mtime=0)


def rows_left(kind: str, content: bytes, cut: int) -> int | None:
    """Give how many rows can be trusted of a file that was cut; None where it is to be refused whole."""
    if kind == "usps":
        # Without the last line's end the trailer is still there, and still right.
        return 2 if cut >= len(content) - 1 else None
    if kind == "packed":
        return 2 if cut == len(content) else None
    *lines, rest = content[:cut].split(b"\n")
    # Cut at a line's end, a file without a trailer cannot be told from a shorter one.
    return None if rest or not lines else len(lines) - 1


def test_a_file_that_grows_while_it_is_read_waits_for_the_next_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    drop, lake = tmp_path / "drop", tmp_path / "lake"
    file = write(drop, f"slow/{date(1)}.csv", text(*ROWS))
    write(drop, f"neighbour/{date(1)}.csv", text(*ROWS))
    read = packing._whole_lines

    def growing(stream, most_bytes: int) -> Iterator[bytes]:
        yield from read(stream, most_bytes)
        if stream.name == str(file):
            with file.open("ab") as more:
                more.write(f"x,C,{GOOD}\n".encode())

    with monkeypatch.context() as patch:
        patch.setattr(packing, "_whole_lines", growing)
        night(drop, lake)
    assert judged(lake)[f"slow/{date(1)}.csv"][:2] == (
        "quarantined",
        "unreadable_file the file changed while it was read",
    )
    assert [row[:2] for row in scans(lake)] == [(f"neighbour/{date(1)}.csv", waybill) for waybill in "AB"]
    night(drop, lake)
    assert [row[1] for row in scans(lake) if row[0].startswith("slow")] == ["A", "B", "C"]


@pytest.mark.parametrize("then", ["it stays", "it is put back"])
def test_a_file_that_changes_between_being_listed_and_being_read_is_what_it_is_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
):
    drop, lake = tmp_path / "drop", tmp_path / "lake"
    before, after = text(*ROWS), text(f"x,C,{GOOD}")
    file = write(drop, f"busy/{date(1)}.csv", before)
    gone = write(drop, f"gone/{date(1)}.csv", before)
    write(drop, f"neighbour/{date(1)}.csv", before)
    listed = nightly.fresh_files

    def and_then_changed(*words):
        found = listed(*words)
        file.write_bytes(after)
        os.unlink(gone)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "fresh_files", and_then_changed)
        night(drop, lake)
    found = judged(lake)
    assert found[f"gone/{date(1)}.csv"][0] == "quarantined"
    assert found[f"neighbour/{date(1)}.csv"][0] == "taken"
    assert [row[1] for row in scans(lake) if row[0].startswith("busy")] in ([], ["A", "B"], ["C"])
    if then == "it is put back":
        file.write_bytes(before)
    night(drop, lake)
    assert judged(lake)[f"busy/{date(1)}.csv"][0] == "taken"
    left = ["C"] if then == "it stays" else ["A", "B"]
    assert [row[1] for row in scans(lake) if row[0].startswith("busy")] == left
