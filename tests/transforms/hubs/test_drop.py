"""The drop folder: which files count, which of them are news, and that no file in it can stop a night."""

import datetime
import gzip
import io
import os
import zipfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.profiles import read_profiles
from schemas.rejections import Rejected
from transforms.hubs.drop import drop_files, news, place_of, profile_for

PROFILES = read_profiles()
FIRST, LAST = datetime.date(2026, 3, 2), datetime.date(2026, 3, 4)
CANONICAL = "carrier,tracking_number,scan_ts,code,hub\n"
OWN = "strShipmentNo,strActionDate,strActionTime,strCode,strOrigin\n"


def leave(drop, name, data=CANONICAL, second=0):
    """Leave a file in the drop folder at a time."""
    path = drop / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (second, second))
    return path


def files(drop):
    """Give the files of the drop folder; no name in it may be strange."""
    found, strange = drop_files(drop, FIRST, LAST, PROFILES)
    assert strange == []
    return found


def judged(found):
    """Give what is known of files once they were judged."""
    return {file.place: (file.name, file.content) for file in found}


def zipped(text, *, flags=0, method=zipfile.ZIP_DEFLATED):
    """Give a zip, with bits set in its flags, or said to be packed by another method."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scans.csv", text)
    data = bytearray(out.getvalue())
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(header) + at
        data[place] |= flags
        data[place + 2] = method
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "place", "revision"),
    [
        ("ups/2026-03-02.csv", "ups/2026-03-02.csv", 0),
        ("ups/2026-03-02.csv.gz", "ups/2026-03-02.csv", 0),
        ("ups/2026-03-02.csv.zip", "ups/2026-03-02.csv", 0),
        ("ups/2026-03-02.v2.csv", "ups/2026-03-02.csv", 2),
        ("ups/2026-03-02.v10.csv.zip", "ups/2026-03-02.csv", 10),
        ("ups.v3/2026-03-02.v2.csv.gz", "ups.v3/2026-03-02.csv", 2),
        ("ups/2026-03-02.v2.csv.gz.part", "ups/2026-03-02.v2.csv.gz.part", 0),
        ("ups/2026-03-02.v2.txt", "ups/2026-03-02.v2.txt", 0),
    ],
)
def test_a_place_is_a_name_without_revision_and_packing(name, place, revision):
    assert place_of(name) == (place, revision)


@pytest.mark.parametrize(
    ("left", "taken", "strange"),
    [
        pytest.param(["ups/2026-03-02.csv", "dtdc/2026-03-02.csv"], ["dtdc/2026-03-02.csv", "ups/2026-03-02.csv"], [],
                     id="of two carriers"),
        pytest.param(["acme/2026-03-03.csv"], ["acme/2026-03-03.csv"], [], id="of a carrier without a profile"),
        pytest.param(["ups/2026-03-01.csv", "ups/2026-03-05.csv"], [], [], id="before and after the days asked for"),
        pytest.param(["ups/2026-03-04.csv"], ["ups/2026-03-04.csv"], [], id="of the last day"),
        pytest.param(["ups/2026-03-02.v10.csv", "ups/2026-03-02.v9.csv", "ups/2026-03-02.csv"],
                     ["ups/2026-03-02.v10.csv"], [], id="revisions are numbers, whenever they were left"),
        pytest.param(["ups/2026-03-02.v2.csv.zip", "ups/2026-03-02.v2.csv"], ["ups/2026-03-02.v2.csv"], [],
                     id="of equal revisions the one left last, plain"),
        pytest.param(["ups/2026-03-02.v2.csv", "ups/2026-03-02.v2.csv.gz"], ["ups/2026-03-02.v2.csv.gz"], [],
                     id="of equal revisions the one left last, packed"),
        pytest.param(["ups/2026-03-02.csv", "ups/2026-03-03.v2.csv"], ["ups/2026-03-02.csv", "ups/2026-03-03.v2.csv"],
                     [], id="a correction of another day"),
        pytest.param(["ups/read me.txt", "ups/2026-02-30.csv", "ups/2026-03-02.csv.part", "ups/2026-03-02.vv2.csv"],
                     [], ["ups/2026-02-30.csv", "ups/2026-03-02.csv.part", "ups/2026-03-02.vv2.csv", "ups/read me.txt"],
                     id="names that nobody expects"),
        pytest.param(["2026-03-02.csv", "ups/old/2026-03-02.csv"], [], [], id="not in a carrier's folder"),
        pytest.param(["d'or & co/2026-03-02.csv", "Ä 100%/2026-03-02.csv"],
                     ["d'or & co/2026-03-02.csv", "Ä 100%/2026-03-02.csv"], [], id="carriers with odd names"),
    ],
)  # fmt: skip
def test_the_files_of_a_night(tmp_path, left, taken, strange):
    for second, name in enumerate(left):
        leave(tmp_path, name, second=second)
    (tmp_path / "ups" / "2026-03-03.v9.csv").mkdir(parents=True)
    found, odd = drop_files(tmp_path, FIRST, LAST, PROFILES)
    assert (sorted(file.name for file in found), sorted(odd)) == (taken, strange)
    for file in found:
        assert (file.place, file.revision) == place_of(file.name)
        assert file.path == str(tmp_path / file.name)
        assert file.day.isoformat() in file.name


@pytest.mark.parametrize("folder", [b"\xff", b"a|b"], ids=["no text", "the mark between the files of a scan"])
def test_a_folder_whose_name_the_lake_cannot_bear_is_strange(tmp_path, folder):
    name = os.fsdecode(folder + b"/2026-03-02.csv")
    leave(tmp_path, name)
    assert drop_files(tmp_path, FIRST, LAST, PROFILES) == ([], [name])


def test_what_was_judged_is_no_news(tmp_path):
    leave(tmp_path, "ups/2026-03-02.csv", "a")
    leave(tmp_path, "dtdc/2026-03-02.csv", "a")
    fresh = news(files(tmp_path), {}, PROFILES)
    assert len(fresh) == 2
    assert news(files(tmp_path), judged(fresh), PROFILES) == []
    leave(tmp_path, "ups/2026-03-02.v2.csv", "a")
    assert news(files(tmp_path), judged(fresh), PROFILES) == [], "the same bytes under another name"
    leave(tmp_path, "ups/2026-03-02.v3.csv", "b")
    assert [file.name for file in news(files(tmp_path), judged(fresh), PROFILES)] == ["ups/2026-03-02.v3.csv"]


def test_a_lower_revision_than_the_one_judged_is_ignored(tmp_path):
    second = leave(tmp_path, "ups/2026-03-02.v2.csv", "b")
    seen = judged(news(files(tmp_path), {}, PROFILES))
    second.unlink()
    leave(tmp_path, "ups/2026-03-02.csv", "a")
    assert news(files(tmp_path), seen, PROFILES) == []
    leave(tmp_path, "ups/2026-03-02.v2.csv.gz", gzip.compress(b"c"))
    assert [file.revision for file in news(files(tmp_path), seen, PROFILES)] == [2]


@pytest.mark.parametrize(("header", "by"), [(OWN, "dtdc"), (CANONICAL, "generic"), ("\ufeff" + CANONICAL, "generic")])
def test_a_file_is_news_when_what_it_is_read_by_changes(tmp_path, header, by):
    leave(tmp_path, "dtdc/2026-03-02.csv", header)
    (file,) = files(tmp_path)
    assert profile_for(file, PROFILES).name == by
    seen = judged(news([file], {}, PROFILES))
    for name in PROFILES:
        changed = {**PROFILES, name: msgspec.structs.replace(PROFILES[name], bad_share=0.5)}
        assert [one.name for one in news([file], seen, changed)] == ([file.name] if name == by else [])


UNREADABLE = {
    "a gzip cut off in its header": b"\x1f\x8b\x08\x00",
    "a gzip cut off": gzip.compress(OWN.encode())[:20],
    "no gzip": b"\x1f\x8b" + b"x" * 50,
    "no zip": b"PK" + b"x" * 50,
    "a zip cut off": zipped(OWN)[:-30],
    "a zip with a password": zipped(OWN, flags=1),
    "a zip packed in a way nobody knows": zipped(OWN, method=99),
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_file_is_news_until_it_was_judged_and_again_when_it_changes(tmp_path, data):
    leave(tmp_path, "dtdc/2026-03-02.csv", data)
    (file,) = news(files(tmp_path), {}, PROFILES)
    assert news(files(tmp_path), judged([file]), PROFILES) == []
    with pytest.raises(Rejected, match="unreadable_file"):
        profile_for(file, PROFILES)
    leave(tmp_path, "dtdc/2026-03-02.csv", data + b" ")
    assert [one.name for one in news(files(tmp_path), judged([file]), PROFILES)] == [file.name]


def test_a_file_that_has_gone_meanwhile_stops_no_night(tmp_path):
    path = leave(tmp_path, "dtdc/2026-03-02.csv")
    found = files(tmp_path)
    path.unlink()
    (file,) = news(found, {}, PROFILES)
    assert file.content == ""
    assert news(found, judged([file]), PROFILES) == [file], "it may come back"


LEFT = st.tuples(st.integers(0, 3), st.sampled_from(["", ".gz"]), st.sampled_from("abc"))


@settings(max_examples=60)
@given(nights=st.lists(st.lists(LEFT, max_size=2), min_size=1, max_size=6))
def test_whatever_is_left_the_last_of_the_highest_revision_counts(tmp_path_factory, nights):
    drop = tmp_path_factory.mktemp("drop")
    seen, said, second, best = {}, None, 0, None
    for left in nights:
        for revision, packing, text in left:
            second += 1
            data = gzip.compress(text.encode(), mtime=0) if packing else text.encode()
            leave(drop, f"ups/2026-03-02{f'.v{revision}' if revision else ''}.csv{packing}", data, second)
            if best is None or revision >= best[0]:
                best = revision, text
        fresh = news(files(drop), seen, PROFILES)
        assert len(fresh) <= 1
        for file in fresh:
            with open(file.path, "rb") as opened:
                data = opened.read()
            said = (gzip.decompress(data) if file.name.endswith("gz") else data).decode()
        seen |= judged(fresh)
        assert said == (best and best[1])
