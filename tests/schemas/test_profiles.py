"""Carrier profiles: what a code means, and every fault that lint must find."""

from pathlib import Path

import pytest

from schemas.profile_faults import faults_of, format_fault
from schemas.profiles import FOLDER, Meaning, ProfileError, parse_profile, profile_of, read_profile, read_profiles
from schemas.stages import STAGES

PLAIN = """
name = "acme"
description = "invented"
formats = ["%d-%m-%Y %H%M"]
return_groups = ["RT"]
ignored = ["X/00"]
[columns]
tracking_number = "awb"
scan_time = ["day", "time"]
code = ["group", "code"]
hub = "hub"
[zone]
fixed = "Asia/Kolkata"
[[codes]]
stage = "delivered"
codes = ["DL/OK"]
[[codes]]
stage = "exception"
reason = "weather_delay"
codes = ["X/*"]
"""


def written(folder: Path, text: str) -> Path:
    """Write a profile's file."""
    path = folder / "acme.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_milepost_s_own_profiles_are_free_of_faults(path):
    profile = parse_profile(path)
    assert (faults_of(profile), profile.name) == ([], path.stem)
    assert profile.name == "generic" or "No public bulk format exists" in profile.description


def test_there_are_at_least_nine():
    assert len(read_profiles()) >= 9


def test_a_carrier_is_added_by_adding_a_file(tmp_path):
    written(tmp_path, PLAIN)
    assert list(read_profiles(tmp_path)) == ["acme"]
    (tmp_path / "again.toml").write_text(PLAIN, encoding="utf-8")
    read_profiles.cache_clear()
    with pytest.raises(ProfileError, match="another one named acme"):
        read_profiles(tmp_path)


def test_a_code_with_fewer_stars_goes_first(tmp_path):
    profile = read_profile(written(tmp_path, PLAIN))
    assert profile.meaning(("DL", "OK")) == Meaning("delivered")
    assert profile.meaning(("X", "00")) == Meaning(None)
    assert profile.meaning(("X", "01")) == Meaning("exception", "weather_delay")
    assert profile.meaning(("Y", "01")) is None


def test_only_one_pair_of_delhivery_is_a_delivery():
    profile = read_profiles()["delhivery"]
    stages = {status: profile.meaning(("DL", status, "")) for status in ("Delivered", "RTO", "DTO")}
    assert {status: meaning and meaning.stage for status, meaning in stages.items()} == {
        "Delivered": "delivered", "RTO": "returned", "DTO": "returned",
    }  # fmt: skip


def test_the_canonical_file_is_of_stages():
    assert {group.stage for group in read_profiles()["generic"].codes} <= set(STAGES)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Asia/Kolkata", "Asia/Atlantis", "the zone 'Asia/Atlantis' is unknown"),
        ('fixed = "Asia/Kolkata"', "", "the zone must be exactly one"),
        ("%d-%m-%Y %H%M", "%d-%m-%Y %Q", "%Q is not known"),
        ("%d-%m-%Y %H%M", "%d-%m %H%M", "no year, month and day"),
        ("%d-%m-%Y %H%M", "%d-%m-%Y", "no hour and minute"),
        ('"delivered"', '"handed"', "the stage 'handed' is unknown"),
        ("weather_delay", "bad_luck", "the reason 'bad_luck' does not begin"),
        ('"exception"', '"in_transit"', "the stage in_transit has no reason"),
        ("DL/OK", "RT/OK", "'RT/OK' is of the return leg but mapped to delivered"),
        ('"X/*"', '"X/*", "DL/OK"', "'DL/OK' is contradictory: delivered and exception (weather_delay)"),
        ('"X/*"', '"X/*", "X/*"', "'X/*' is written twice"),
        ('"X/*"', '"X/*", "X/00"', "'X/00' is both ignored and mapped to exception"),
        ('"X/*"', '"X/*", "X"', "'X' has 1 places, not 2"),
        ('"X/*"', '"X/*", "*/OK"', ""),
        ('"DL/OK"', '"DL/OK", "*/09"', "'*/09' and 'X/*' may fit one row and are contradictory"),
        ('name = "acme"', 'name = "../acme"', "the name '../acme'"),
        ('name = "acme"', 'name = "acme"\ntrailer = "EOF"', "the trailer 'EOF' has no {count}"),
        ('name = "acme"', 'name = "acme"\nfiles = ["../../%Y%m%d.csv"]', "are not <folder>/<name>.csv"),
        ('name = "acme"', 'name = "acme"\nunpadded = ["zeros"]', "zeros is unpadded but no column"),
    ],
)
def test_faults(tmp_path, old, new, said):
    path = written(tmp_path, PLAIN.replace(old, new))
    found = faults_of(parse_profile(path))
    assert any(said in fault for fault in found) if said else not found
    if found:
        with pytest.raises(ProfileError, match="cannot be used"):
            read_profile(path)


def test_a_star_on_a_delivery_may_take_in_returns(tmp_path):
    text = PLAIN.replace('"DL/OK"', '"DL/*"') + '[[codes]]\nstage = "returned"\ncodes = ["DL/RTO"]\n'
    assert any("fits returns as well" in fault for fault in faults_of(parse_profile(written(tmp_path, text))))


@pytest.mark.parametrize("text", ["name = ", "name = 1", PLAIN + "colour = 1", 'name = "a"\nname = "b"', "\xff"])
def test_what_is_no_profile_is_one_sentence(tmp_path, text):
    path = tmp_path / "acme.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ProfileError) as fault:
        parse_profile(path)
    assert "\n" not in str(fault.value)
    with pytest.raises(ProfileError, match="cannot be read"):
        parse_profile(tmp_path / "none.toml")


def test_formats_that_can_be_read():
    assert [format_fault(text) for text in ("ISO", "%Y%m%d %H%M%S", "%d-%b-%y %I:%M %p")] == ["", "", ""]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("ups/2026-03-01.csv", "ups"),
        ("ups/2026-03-01.csv.gz", "ups"),
        ("dhl_express/2026-03-01.csv.zip", "dhl_express"),
        ("northline/2026-03-01.csv", "generic"),
        ("ups/2026-02-30.csv", None),
        ("ups/readme.txt", None),
        ("2026-03-01.csv", None),
    ],
)
def test_which_profile_a_file_is_read_by(source, name):
    found = profile_of(source, read_profiles())
    assert (found and (found[0].name, found[1].isoformat())) == (name and (name, "2026-03-01"))
