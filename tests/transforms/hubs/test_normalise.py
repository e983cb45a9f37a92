"""Reading bulk files by their profiles: what a reader can check against the carriers' vocabularies."""

import gzip
import io
import zipfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import to_text
from schemas.profiles import Zone, read_profiles
from schemas.rejections import REASONS, Rejected
from schemas.tables import HUB_SCANS
from transforms.hubs.normalise import read_file
from transforms.hubs.stage import PIECE

PROFILES = read_profiles()

GENERIC = "carrier,tracking_number,scan_ts,code,hub\n"
UPS = (
    "trackingNumber,localActivityDate,localActivityTime,gmtOffset,activityStatus.type,activityStatus.code,"
    "activityStatus.descriptionCode,activityLocation.city\n"
)
FEDEX = "TRACKING_NUMBER|SCAN_DATE|SCAN_TIME|STATUS_GROUP|STATUS_CODE|LOCATION_ID\n"
USPS = "trackingNumber,eventTimestamp,GMTOffset,eventCode,eventZIP\n"
DHL = "awb;event_date;event_time;gmt_offset;event_code;service_area\n"
DELHIVERY = "AWB,StatusDateTime,StatusType,Status,NSLCode,StatusLocation\n"
BLUE_DART = "WaybillNo,ScanDate,ScanTime,StatusTimeZone,ScanGroupType,ScanCode,ScannedLocationCode\n"
DTDC = "strShipmentNo,strActionDate,strActionTime,strCode,strOrigin\n"
ANJANI = "docket_no,scan_date,scan_time,status,branch\n"

TABLE = [
    ("generic", GENERIC, "acme,T,2026-03-01T10:00:00+05:30,hub_in,H", "2026-03-01T04:30:00Z", "hub_in", None),
    ("ups", UPS, "T,20260301,101500,-05.00,I,AR,005,Louisville", "2026-03-01T15:15:00Z", "hub_in", None),
    ("ups", UPS, "T,20260301,101500,-04.00,I,OT,021,Louisville", "2026-03-01T14:15:00Z", "out_for_delivery", None),
    ("ups", UPS, "T,20260301,101500,-05.00,D,FS,011,", "2026-03-01T15:15:00Z", "delivered", None),
    ("ups", UPS, "T,20260301,101500,+05.30,X,48,022,X", "2026-03-01T04:45:00Z", "attempt_failed", "consignee_not_home"),
    ("fedex", FEDEX, "T|03/01/2026|10:00:00|Movement|AR|US-TN-MEM", "2026-03-01T16:00:00Z", "hub_in", None),
    ("fedex", FEDEX, "T|03/01/2026|10:00:00|Movement|EA|IN-DL", "2026-03-01T04:30:00Z", "in_transit", None),
    ("fedex", FEDEX, "T|07/01/2026|10:00:00|Movement|DL|US-NJ", "2026-07-01T14:00:00Z", "delivered", None),
    ("fedex", FEDEX, "T|03/01/2026|10:00:00|Regulatory|CD|US-NJ", "2026-03-01T15:00:00Z", "exception", "customs_delay"),
    ("usps", USPS, "T,2026-03-01T10:00:00,-7:00,A1,90210", "2026-03-01T17:00:00Z", "hub_in", None),
    ("usps", USPS, "T,2026-03-01T10:00:00,-7:00,01,90210", "2026-03-01T17:00:00Z", "delivered", None),
    ("dhl_express", DHL, "T;01.03.2026;10:00;+01:00;DF;LEJ", "2026-03-01T09:00:00Z", "hub_out", None),
    ("delhivery", DELHIVERY, "T,2026-03-01T10:00:00.123,UD,Dispatched,X-A,D", "2026-03-01T04:30:00.123000Z", "out_for_delivery", None),
    ("delhivery", DELHIVERY, "T,2026-03-01T10:00:00,DL,Delivered,,D", "2026-03-01T04:30:00Z", "delivered", None),
    ("delhivery", DELHIVERY, "T,2026-03-01T10:00:00,DL,RTO,,D", "2026-03-01T04:30:00Z", "returned", None),
    ("delhivery", DELHIVERY, "T,2026-03-01T10:00:00,RT,Dispatched,,D", "2026-03-01T04:30:00Z", "return_started", None),
    ("delhivery", DELHIVERY, "T,2026-03-01T10:00:00,UD,In Transit,X-PIOM,D", "2026-03-01T04:30:00Z", "hub_in", None),
    ("blue_dart", BLUE_DART, "T,01-03-2026,0230,IST,S,001,BOM", "2026-02-28T21:00:00Z", "hub_in", None),
    ("blue_dart", BLUE_DART, "T,02-01-2026,02:30,UTC,T,003,BOM", "2026-01-02T02:30:00Z", "attempt_failed", "consignee_not_available"),
    ("blue_dart", BLUE_DART, "T,01-03-2026,1000,IST,RT,000,BOM", "2026-03-01T04:30:00Z", "returned", None),
    ("dtdc", DTDC, "T,01032026,1000,OUTDLV,SURAT", "2026-03-01T04:30:00Z", "out_for_delivery", None),
    ("shree_anjani", ANJANI, "T,01/03/2026,10:00,delivered,Surat", "2026-03-01T04:30:00Z", "delivered", None),
]  # fmt: skip


def packed(text: bytes) -> bytes:
    """Give a zip with one CSV in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scans.csv", text)
    return out.getvalue()


def whole(name: str, text: str) -> bytes:
    """Give a file as the carrier sends it: with its trailer, its encoding and its packing."""
    profile = PROFILES[name]
    trailer = profile.trailer.replace("{count}", str(text.count("\n") - 1))
    data = (text + (trailer + "\n" if trailer else "")).encode(profile.encoding)
    return packed(data) if profile.compression == "zip" else data


def read(path: Path, name: str, data: bytes | str, **changes):
    """Read a file; give its rows and its rejections, after making sure that text and words of a dictionary agree."""
    path = path / "file"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    profile = msgspec.structs.replace(PROFILES[name], **changes)
    scans, rejected = read_file(str(path), "s", profile)
    in_words, _ = read_file(str(path), "s", profile, schema=PIECE)
    assert in_words.cast(pa.schema([HUB_SCANS.schema.field(name) for name in PIECE.names])).equals(
        scans.select(PIECE.names)
    )
    return scans.to_pylist(), [
        (row["reason"], row["position"], row["raw"].decode("latin-1")) for row in rejected.to_pylist()
    ]


def refused(path: Path, name: str, data: bytes | str, **changes) -> str:
    """Give the reason for which a file is refused whole."""
    with pytest.raises(Rejected) as fault:
        read(path, name, data, **changes)
    assert fault.value.reason in REASONS
    return fault.value.reason


def moment(row) -> str:
    """Give a row's time as text."""
    return to_text(round(row["scan_ts"].timestamp() * 1_000_000))


@pytest.mark.parametrize(("name", "header", "line", "when", "stage", "reason"), TABLE)
def test_a_row_says_what_its_carrier_means(tmp_path, name, header, line, when, stage, reason):
    (row,), rejected = read(tmp_path, name, whole(name, f"{header}{line}\n"))
    carrier = "acme" if name == "generic" else name
    assert (row["carrier"], row["tracking_number"], moment(row)) == (carrier, "T", when)
    assert (row["stage"], row["reason"], rejected) == (stage, reason, [])


def test_every_profile_is_in_the_table():
    assert {row[0] for row in TABLE} == set(PROFILES)


@pytest.mark.parametrize(
    ("local", "when"),
    [
        ("11/01/2026|01:30:00", "2026-11-01T05:30:00Z"),  # twice: the first
        ("11/01/2026|02:30:00", "2026-11-01T07:30:00Z"),
        ("03/08/2026|01:59:59", "2026-03-08T06:59:59Z"),
        ("03/08/2026|02:30:00", "2026-03-08T07:00:00Z"),  # skipped: the first moment after
    ],
)
def test_clocks_that_change(tmp_path, local, when):
    (row,), _ = read(tmp_path, "fedex", whole("fedex", f"{FEDEX}T|{local}|Movement|AR|US-NJ\n"))
    assert moment(row) == when


@pytest.mark.parametrize(
    ("name", "header", "line", "reason"),
    [
        ("generic", GENERIC, "acme,T,2026-03-01T10:00:00,hub_in,H", "naive_timestamp"),
        ("generic", GENERIC, "acme,T,2026-02-30T10:00:00Z,hub_in,H", "invalid_timestamp"),
        ("generic", GENERIC, "acme,T,1926-02-20T10:00:00Z,hub_in,H", "absurd_timestamp"),
        ("generic", GENERIC, "acme,T,2026-02-20T10:00:00Z,teleported,H", "unknown_code"),
        ("generic", GENERIC, "../x,T,2026-02-20T10:00:00Z,hub_in,H", "invalid_carrier"),
        ("generic", GENERIC, "acme,,2026-02-20T10:00:00Z,hub_in,H", "missing_field"),
        ("generic", GENERIC, "acme,T\x00,2026-02-20T10:00:00Z,hub_in,H", "invalid_value"),
        ("generic", GENERIC, "acme,T,hub_in,H", "malformed_row"),
        ("generic", GENERIC, 'acme,"T,2026-02-20T10:00:00Z,hub_in,H', "malformed_row"),
        ("generic", GENERIC, "acme,T\xe9,2026-02-20T10:00:00Z,hub_in,H", "invalid_utf8"),
        ("blue_dart", BLUE_DART, "T,31-02-2026,0230,IST,S,001,BOM", "invalid_timestamp"),
        ("blue_dart", BLUE_DART, "T,01-03-26,0230,IST,S,001,BOM", "invalid_timestamp"),
        ("blue_dart", BLUE_DART, "T,01-03-2026,230,IST,S,001,BOM", "invalid_timestamp"),
        ("blue_dart", BLUE_DART, "T,30-12-0000,0230,IST,S,001,BOM", "absurd_timestamp"),
        ("blue_dart", BLUE_DART, "T,01-03-2026,0230,CET,S,001,BOM", "invalid_timestamp"),
        ("blue_dart", BLUE_DART, "T,01-03-2026,0230,IST,S,077,BOM", "unknown_code"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_line(tmp_path, name, header, line, reason):
    good = next(row[2] for row in TABLE if row[0] == name)
    rows, rejected = read(tmp_path, name, f"{header}{good}\n{line}\n{good}\n".encode("latin-1"))
    assert (len(rows), rejected) == (2, [(reason, 3, line)])


GOOD = GENERIC + 'acme,T,2026-03-01T10:00:00Z,hub_in,"Hub, 1"\n' + "acme,U,2026-03-01T10:00:00Z,hub_out,H\n"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\n\n").encode(),
        gzip.compress(GOOD.encode()),
        packed(GOOD.encode()),
    ],
    ids=["plain", "BOM", "CRLF", "empty lines", "gzip", "zip"],
)
def test_ways_to_write_a_file(tmp_path, data):
    rows, rejected = read(tmp_path, "generic", data)
    assert ([row["hub"] for row in rows], rejected) == (["Hub, 1", "H"], [])


def test_letters_of_windows(tmp_path):
    text = f"{ANJANI}T,01/03/2026,10:00,hub_in,Caf\xe9 \u20ac\n"
    (row,), _ = read(tmp_path, "shree_anjani", text.encode("cp1252"))
    assert row["hub"] == "Caf\xe9 \u20ac"
    rows, rejected = read(tmp_path, "shree_anjani", text.encode("cp1252") + b"T,01/03/2026,10:00,hub_in,\x81\n")
    assert (len(rows), rejected[0][0]) == (1, "invalid_utf8")


def test_columns_may_be_moved_and_added_but_not_renamed(tmp_path):
    text = "hub,new,code,scan_ts,tracking_number,carrier,new\nH,,hub_in,2026-03-01T10:00:00Z,T,acme,\n"
    (row,), _ = read(tmp_path, "generic", text)
    assert (row["hub"], row["tracking_number"], row["carrier"]) == ("H", "T", "acme")
    for wrong in (text.replace("hub,", "depot,"), text.replace("new,", "hub,", 1), text.replace(",", ";"), "", "\n\n"):
        assert refused(tmp_path, "generic", wrong) == "wrong_header"
    assert refused(tmp_path, "generic", text.encode("utf-16")) == "wrong_header"


def test_a_file_with_a_trailer_cut_anywhere_is_refused(tmp_path):
    rows = "".join(f"T{i},2026-03-01T10:00:00,-7:00,A1,90210\n" for i in range(12))
    data = whole("usps", USPS + rows)
    assert len(read(tmp_path, "usps", data)[0]) == 12
    for end in range(len(data) - 1):
        assert refused(tmp_path, "usps", data[:end]) in ("wrong_trailer", "wrong_header", "cut_off")
    assert refused(tmp_path, "usps", data.replace(b"#EOF 12", b"#EOF 13")) == "wrong_trailer"


def test_a_file_without_one_is_refused_when_its_last_line_was_cut(tmp_path):
    for end in range(1, len(GOOD)):
        if GOOD[end - 1] != "\n":
            assert refused(tmp_path, "generic", GOOD[:end]) in ("cut_off", "wrong_header")
    assert len(read(tmp_path, "generic", GOOD[:-1], ended=False)[0]) == 2


def test_too_many_bad_rows_refuse_the_file(tmp_path):
    good, bad = "acme,T,2026-03-01T10:00:00Z,hub_in,H\n", "acme,T,2026-03-01,hub_in,H\n"
    assert len(read(tmp_path, "generic", GENERIC + good * 200 + bad * 10)[1]) == 10
    assert refused(tmp_path, "generic", GENERIC + good * 100 + bad * 10) == "too_many_bad_rows"
    assert refused(tmp_path, "generic", GENERIC + bad) == "too_many_bad_rows"


def test_packing_that_is_broken_or_a_bomb(tmp_path):
    data = gzip.compress(GOOD.encode())
    for end in range(3, len(data) - 1):
        assert refused(tmp_path, "generic", data[:end]) == "unreadable_file"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", GOOD)
        archive.writestr("b.csv", GOOD)
    assert refused(tmp_path, "generic", out.getvalue()) == "unreadable_file"
    assert refused(tmp_path, "generic", b"x" * 9_000_000) == "unreadable_file"
    bomb = tmp_path / "bomb"
    bomb.write_bytes(gzip.compress(b"x\n" * 5_000_000))
    with pytest.raises(Rejected, match="unpacks to more"):
        read_file(str(bomb), "s", PROFILES["generic"], most_bytes=1_000_000)


def test_information_only_is_neither_taken_nor_rejected(tmp_path):
    assert read(tmp_path, "delhivery", f"{DELHIVERY}T,,UD,Manifested,,\n") == ([], [])


def test_a_hub_without_a_zone_is_set_aside(tmp_path):
    line = "T,01/03/2026,10:00,hub_in,{}\n"
    zone = Zone(hubs={"S": "Asia/Kolkata"})
    rows, rejected = read(tmp_path, "shree_anjani", ANJANI + line.format("Surat") + line.format("Oslo"), zone=zone)
    assert (moment(rows[0]), rejected[0][0]) == ("2026-03-01T04:30:00Z", "invalid_timestamp")


def test_blocks_keep_their_line_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.hubs.packing.BLOCK", 64)
    good, bad = "acme,T,2026-03-01T10:00:00Z,hub_in,H\n", "acme,T,x,hub_in,H\n"
    rows, rejected = read(tmp_path, "generic", GENERIC + good * 7 + bad + "\n" + good * 3 + bad + good)
    assert (len(rows), [row[1] for row in rejected]) == (11, [9, 14])


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(PROFILES)),
    data=st.binary() | st.text(alphabet='T,;|"\n\r0126:-/é\0').map(str.encode),
    headed=st.booleans(),
)
def test_any_bytes_are_rows_or_refused(tmp_path_factory, name, data, headed):
    path = tmp_path_factory.mktemp("any")
    header = next(row[1] for row in TABLE if row[0] == name).encode() if headed else b""
    (path / "file").write_bytes(header + data)
    try:
        scans, rejected = read_file(str(path / "file"), "s", PROFILES[name])
    except Rejected as fault:
        assert fault.reason in REASONS
    else:
        assert scans.num_rows + rejected.num_rows <= data.count(b"\n") + 1
        assert not any(column.null_count for column in scans.columns)
