"""The forms in which an answer is shown: nothing lost, nothing cut, nothing that acts."""

import csv
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.render import FORMATS, Answer, as_csv, as_html, as_json, as_table, harmless, show
from schemas.fields import parse_time

START = parse_time("2026-03-02T06:00:00Z")
AWKWARD = pa.table(
    {
        "text": ["=1+1", "<b>&", "[red]x", None, "two\nlines \x1b[31m"],
        "rate_pct": [99.123456, float("nan"), 0.001, None, 120.0],
        "at": pa.array([START, None, None, None, None], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "raw": [b"ok", b"\xff", None, b"", b"-1"],
        "list": [["a"], [], None, None, ["=b"]],
    }
)


def test_json_keeps_numbers_and_gives_times_with_their_zone():
    first, second, *_ = json.loads(as_json(Answer(AWKWARD)))
    assert first == {"text": "=1+1", "rate_pct": 99.123456, "at": "2026-03-02T06:00:00Z", "raw": "ok", "list": ["a"]}
    assert second["rate_pct"] is None
    assert second["raw"] == "\ufffd"


def test_json_loses_no_column_of_the_same_name():
    rows = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "n_2"])
    assert json.loads(as_json(Answer(rows))) == [{"n": 1, "n_2": 2, "n_2_2": 3}]


def test_a_piped_table_is_one_line_a_row_however_long():
    long = "x" * 5000
    lines = as_table(Answer(pa.table({"a": [long, "[b]\n"], "number": [1.0, 2 / 3]}))).splitlines()
    assert [line.split() for line in lines] == [["a", "number"], [long, "1.00"], ["[b]\\n", "0.67"]]


def test_a_narrow_screen_shows_every_value_whole(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    columns = {f"column_{n}": [f"value-{n}-{row}" for row in range(7)] for n in range(12)}
    show(Answer(pa.table(columns)), "table")
    shown = capsys.readouterr().out
    assert all(value in shown for column in columns.values() for value in column)
    assert "7 rows" in shown


def test_a_page_is_escaped_and_needs_nothing_else():
    page = as_html(Answer(AWKWARD, "A & <i>", "all", {"text": '"quoted"'}))
    assert "&lt;b&gt;&amp;" in page and "A &amp; &lt;i&gt;" in page and "&#34;quoted&#34;" in page
    assert "<b>" not in page and "<script" not in page and "http://" not in page and "https://" not in page
    assert "--share: 99.1%" in page and "--share: 100.0%" in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def cells(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_keeps_numbers_as_they_are():
    rows = pa.table({"n": [-1.5, 2 / 3], "i": [-7, 7], "t": ["-1.5", "x"], "b": [True, None]})
    assert cells(as_csv(Answer(rows)))[1:] == [["-1.5", "-7", "'-1.5", "true"], [str(2 / 3), "7", "x", ""]]


@given(st.lists(st.one_of(st.none(), st.text(), st.builds("".join, st.tuples(st.sampled_from("=+-@\t\r"), st.text())))))
def test_no_text_in_csv_is_a_formula_and_none_is_lost(texts):
    names, *found = cells(
        as_csv(Answer(pa.table({"=name": pa.array(texts, pa.string()), "n": list(range(len(texts)))})))
    )
    assert names == ["'=name", "n"]
    for text, (cell, _) in zip(texts, found, strict=True):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell in ((text or ""), f"'{text}")
        assert cell == harmless(text or "")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_is_replaced_in_one_step(tmp_path, form, capsys):
    out = tmp_path / "answer"
    out.write_text("old", encoding="utf-8")
    show(Answer(AWKWARD), form)
    show(Answer(AWKWARD), form, out)
    assert out.read_bytes().decode() == capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"cannot be written: No such file or directory\.$"):
        show(Answer(AWKWARD), "json", tmp_path / "nowhere" / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"cannot be written: Is a directory\.$"):
        show(Answer(AWKWARD), "json", tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text, encoding="utf-8")
        show(Answer(AWKWARD), "json", pipe)
        assert read.result() == as_json(Answer(AWKWARD))
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for form in ("csv", "json"):
        show(Answer(AWKWARD), form, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text(encoding="utf-8") == as_json(Answer(AWKWARD))
