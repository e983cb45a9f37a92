"""The command `carriers`: what it prints, and its exit code."""

import pytest

from pipelines.cli import main
from schemas.profiles import FOLDER

HEADER = "strShipmentNo,strActionDate,strActionTime,strCode,strOrigin\n"


def test_milepost_s_own_profiles_pass(capsys):
    assert main(["carriers", "lint"]) == 0
    assert capsys.readouterr().out.endswith("profiles, no faults.\n")


def test_list_says_where_each_format_comes_from(capsys):
    assert main(["carriers", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list(FOLDER.glob("*.toml")))
    assert any(line.startswith("ups: No public bulk format exists") for line in lines)


def test_faults_are_one_line_each(tmp_path, capsys):
    text = (FOLDER / "dtdc.toml").read_text(encoding="utf-8")
    (tmp_path / "dtdc.toml").write_text(text.replace("Kolkata", "Atlantis").replace('"DLV"', '"DLV", "OUTDLV"'))
    (tmp_path / "other.toml").write_text("name = ")
    assert main(["carriers", "lint", "--profiles", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "Atlantis" in lines[0]
    assert "contradictory" in lines[1]
    assert "is no TOML" in lines[2]


def test_a_sample_shows_what_is_unmapped(tmp_path, capsys):
    sample = tmp_path / "sample.csv"
    row = "T,01032026,1000,{},SURAT\n"
    sample.write_text(HEADER + row.format("DLV") * 3 + row.format("WHAT"))
    assert main(["carriers", "lint", "--sample", str(sample), "--profile", "dtdc"]) == 1
    out = capsys.readouterr().out
    assert "4 rows; 75.0% have a code that is mapped" in out
    assert "the code 'WHAT' is unmapped (1 rows)" in out
    sample.write_text(HEADER + row.format("DLV"))
    assert main(["carriers", "lint", "--sample", str(sample), "--profile", "dtdc"]) == 0


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_a_sample_that_is_no_such_file(tmp_path, capsys, name):
    assert main(["carriers", "lint", "--sample", str(tmp_path / name), "--profile", "ups"]) == 2
    assert "There is no file " in capsys.readouterr().err


def test_a_list_says_which_profiles_it_lacks(tmp_path, capsys):
    (tmp_path / "good.toml").write_bytes((FOLDER / "ups.toml").read_bytes())
    (tmp_path / "other.toml").write_text("name = ")
    assert main(["carriers", "list", "--profiles", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("ups: ")
    assert "other.toml is no TOML" in shown.err


def test_a_sample_is_not_for_a_list(tmp_path, capsys):
    (tmp_path / "x").touch()
    assert main(["carriers", "list", "--sample", str(tmp_path / "x"), "--profile", "ups"]) == 2
    assert "lint" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [["--sample", "x"], ["--profile", "ups"], ["--sample", __file__, "--profile", "none"], ["--profiles", "/none"]],
)
def test_wrong_usage(words, capsys):
    assert main(["carriers", "lint", *words]) == 2
    assert "milepost: " in capsys.readouterr().err
