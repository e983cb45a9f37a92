"""Bad input from the command line: a rejection or one clear sentence, and nothing else is lost."""

import gzip
import json
import os
import re
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.cli import main
from schemas.fields import DAY, to_text
from schemas.tables import EVENTS
from tests.builders import MONDAY, line, wire
from tests.pipelines.lakes import raw
from transforms.publish.lake import Lake

GOOD = line(event_id="good", promised_delivery_ts=None)
BAD = {
    "malformed_json": b'{"event_id": "x", ',
    "invalid_utf8": b'{"event_id": "\xff\xfe"}',
    "not_an_object": b"[1, 2]",
    "missing_field": line(stage=None),
    "wrong_type": json.dumps(wire() | {"order_id": 17}).encode(),
    "unknown_stage": line(stage="teleported"),
    "naive_timestamp": line(event_ts="2026-03-02T09:00:00"),
    "invalid_timestamp": line(event_ts="yesterday"),
    "absurd_timestamp": line(event_ts="9999-12-31T23:59:59-12:00"),
    "future_timestamp": line(event_ts=to_text(MONDAY + 12 * DAY)),
    "too_large": line(reason="x" * 10_000_000),
    "too_deep": GOOD[:-1] + b', "nested": ' + b"[" * 1_000 + b"]" * 1_000 + b"}",
    "invalid_carrier": line(carrier="../x"),
}


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Run a command; give its exit code and what it said of faults."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, capsys.readouterr().err


def live(capsys: pytest.CaptureFixture[str], source: Path, lake: Path, *more: object) -> tuple[int, str]:
    return run(capsys, "live", "--input", source, "--lake", lake, *more)


def one_sentence(said: str) -> bool:
    """Tell whether a fault was told as one line, with no traceback."""
    lines = [text for text in said.splitlines() if text.startswith("milepost:") or ": error: " in text]
    return len(lines) == 1 and "Traceback" not in said


def test_every_bad_line_is_a_rejection_with_its_bytes_and_the_rest_goes_on(tmp_path: Path, capsys):
    source = tmp_path / "events.jsonl"
    source.write_bytes(b"\n".join([GOOD, *BAD.values(), line(carrier="a=b/c"), line(event_id="last")]) + b"\n")
    as_of = to_text(MONDAY + 10 * DAY)
    assert live(capsys, source, tmp_path / "lake", "--as-of", as_of)[0] == 0
    found = {row[1]: row for row in raw(tmp_path / "lake", "rejections") if row[3] != line(carrier="a=b/c")}
    assert found.keys() == BAD.keys()
    for position, (reason, sent) in enumerate(BAD.items(), start=2):
        _, _, _, kept, size, where, place, *_ = found[reason]
        assert (kept, size, where, place) == (sent, len(sent), str(source), position)
    assert {row[0] for row in raw(tmp_path / "lake", "events")} == {"good", "last"}
    outside = [path for path in tmp_path.iterdir() if path.name not in ("events.jsonl", "lake")]
    assert outside == []


def test_a_packed_file_that_breaks_off_tells_where(tmp_path: Path, capsys):
    packed = gzip.compress(b"\n".join(line(event_id=f"e{n}", reason=os.urandom(40).hex()) for n in range(500)))
    (tmp_path / "events.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    assert live(capsys, tmp_path / "events.jsonl.gz", tmp_path / "lake")[0] == 0
    (rejected,) = raw(tmp_path / "lake", "rejections")
    taken = len(raw(tmp_path / "lake", "events"))
    assert rejected[3].endswith(b"(the packed file breaks off here)")
    assert rejected[6] == taken + 1 > 100


@pytest.mark.parametrize("content", [b"", b"\n\n \n", b"\xef\xbb\xbf"], ids=["no bytes", "blank lines", "a mark alone"])
def test_an_empty_file_leaves_an_empty_lake(tmp_path: Path, capsys, content: bytes):
    (tmp_path / "events.jsonl").write_bytes(content)
    assert live(capsys, tmp_path / "events.jsonl", tmp_path / "lake")[0] == 0
    assert raw(tmp_path / "lake", "events") == raw(tmp_path / "lake", "rejections") == []
    assert run(capsys, "report", "carriers", "--lake", tmp_path / "lake")[0] == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_files_folders_and_globs_are_read(tmp_path: Path, capsys, end: bytes):
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + line(event_id="a") + end + line(event_id="b"))
    (drop / "b.jsonl.gz").write_bytes(gzip.compress(line(event_id="c") + end))
    (drop / "notes.txt").write_bytes(b"no events")
    for place, count in ((drop, 3), (drop / "*.gz", 1), (drop / "a.jsonl", 2)):
        lake = tmp_path / f"lake{count}"
        assert live(capsys, place, lake)[0] == 0
        assert len(raw(lake, "events")) == count
        assert raw(lake, "rejections") == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["live", "--input", "{tmp}/none.jsonl", "--lake", "{tmp}/lake"], 2, "nothing to read at"),
        (["live", "--input", "{tmp}/empty", "--lake", "{tmp}/lake"], 2, "has no event files"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/file"], 1, "cannot be used"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/lake", "--as-of", "soon"], 2, "no time with a zone"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/lake", "--colour=red"], 2, "knows the option --colour"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/lake", "--policy", "{tmp}/none.toml"], 2, "policy file"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/lake", "--runner=Nope"], 2, "knows no runner Nope"),
        (["live", "--input", "{tmp}/e.jsonl", "--lake", "{tmp}/lake", "stray"], 2, "no use for 'stray'"),
        (["simulate", "--out", "/proc/x"], 2, "cannot be written"),
        (["live", "--input", "{tmp}/e.jsonl"], 2, "--lake"),
        (["report", "carriers", "--lake", "{tmp}/none"], 1, "There is no lake"),
        (["report", "nonsense", "--lake", "{tmp}/lake"], 2, "nonsense"),
        (["report", "carriers", "--lake", "{tmp}/lake", "--from", "tuesday"], 2, "no date"),
        (["sql", "--lake", "{tmp}/none", "select 1"], 1, "There is no lake"),
        (["explain", "--lake", "{tmp}/none", "o1"], 1, "There is no lake"),
        (["nightly", "--drop", "{tmp}/none", "--lake", "{tmp}/lake", "--date", "2026-03-02"], 2, "There is no folder"),
        (["nightly", "--drop", "{tmp}/empty", "--lake", "{tmp}/lake", "--date", "2026-03-02"], 2, "has no files"),
        (["nightly", "--drop", "{tmp}/empty", "--lake", "{tmp}/lake"], 2, "Give --date"),
        (
            ["nightly", "--drop", "{tmp}/empty", "--lake", "{tmp}/lake", "--from", "2026-03-02", "--to", "2026-03-01"],
            2,
            "lies before",
        ),
        (["simulate", "--out", "{tmp}/empty2", "--orders", "none"], 2, "whole number"),
        (["simulate", "--out", "{tmp}/file"], 2, "file"),
        (["fly"], 2, "fly"),
        ([], 2, "COMMAND"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_a_wrong_command_is_one_sentence(tmp_path: Path, capsys, words: list[str], code: int, said: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "e.jsonl").write_bytes(GOOD)
    found, told = run(capsys, *(word.format(tmp=tmp_path) for word in words))
    assert (found, one_sentence(told)) == (code, True), told
    assert said in told
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "file", "e.jsonl"}, "nothing is half-made"


def test_a_file_that_may_not_be_read(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "e.jsonl").mkdir()
    (tmp_path / "e.jsonl" / "loop.jsonl").symlink_to(tmp_path / "e.jsonl" / "loop.jsonl")
    code, told = live(capsys, tmp_path / "e.jsonl", tmp_path / "lake")
    assert (code, one_sentence(told)) == (2, True)


def test_a_lake_of_a_newer_schema_is_refused_and_left_alone(tmp_path: Path, capsys):
    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD)
    assert live(capsys, source, lake)[0] == 0
    mark = lake / "milepost.json"
    mark.write_text(json.dumps({"schema": 99}))
    for words in (["live", "--input", source], ["report", "carriers"], ["sql", "select 1"], ["explain", "o1"]):
        code, told = run(capsys, words[0], "--lake", lake, *words[1:])
        assert (code, one_sentence(told)) == (1, True)
        assert "newer" in told
    assert json.loads(mark.read_text()) == {"schema": 99}


def test_a_table_with_a_column_of_a_newer_milepost_is_refused(tmp_path: Path, capsys):
    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD)
    assert live(capsys, source, lake)[0] == 0
    rows = DeltaTable(str(lake / "events")).to_pyarrow_table().append_column("mood", [["good"]])
    write_deltalake(str(lake / "events"), rows, mode="overwrite", schema_mode="overwrite", partition_by=["event_date"])
    code, told = live(capsys, source, lake)
    assert (code, one_sentence(told)) == (1, True)
    assert re.search(r"columns that this Milepost does not know \(mood\)", told)


def test_a_lake_that_cannot_be_read(tmp_path: Path, capsys):
    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD)
    assert live(capsys, source, lake)[0] == 0
    (log,) = (lake / "events" / "_delta_log").glob("*.json")
    log.write_text("not a log")
    for words in (["live", "--input", source], ["report", "carriers"]):
        code, told = run(capsys, *words, "--lake", lake)
        assert (code, one_sentence(told)) == (1, True)
        assert "events" in told


def test_a_job_that_fails_midway_says_so_and_a_rerun_completes_it(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    import transforms.publish.commit as committing

    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD + b"\nnonsense\n")
    whole = committing.append

    def break_off(lake, table, rows):
        if table.name == "milestones":
            raise OSError(28, "No space left on device")
        return whole(lake, table, rows)

    with monkeypatch.context() as broken:
        broken.setattr(committing, "append", break_off)
        code, told = live(capsys, source, lake)
    assert (code, one_sentence(told)) == (1, True)
    assert "No space left" in told
    assert live(capsys, source, lake)[0] == 0
    assert [len(raw(lake, table)) for table in ("events", "milestones", "rejections")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["simulate", "--out", "x", "--days", "99999999999"], "from 1 to 3,650", id="a year too far"),
        pytest.param(["simulate", "--out", "x", "--orders", "0"], "from 1 to", id="no orders"),
        pytest.param(["simulate", "--out", "x", "--seed", "x"], "no whole number", id="a seed of letters"),
        pytest.param(["maintain", "--lake", "x", "--keep-hours", "9" * 20], "from 1 to", id="hours without end"),
        pytest.param(["relay", "--outbox", "x", "--config", "x", "--metrics", "99999"], "no [HOST:]PORT", id="no such port"),
        pytest.param(["explain", "--lake", "x", "o\udcff"], "no UTF-8", id="no text"),
        pytest.param(["nightly", "--drop", ".", "--lake", "x", "--date", "2026-01-01", "--profiles", "none"], "no folder none", id="no profiles"),
        pytest.param(["nightly", "--drop", ".", "--lake", "x", "--date", "2026-01-01", "--direct_num_workers=-1"], "workers", id="fewer than no workers"),
        pytest.param(["live", "--input", "x", "--lake", "x", "--clock", '{"rate": 2}'], "rate", id="a clock with another hand"),
        pytest.param(["live", "--input", "x", "--lake", "x", "--clock", '{"speed": 0}'], "speed", id="a clock that stands"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_one_sentence_and_leaves_nothing(tmp_path: Path, capsys, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    code, told = run(capsys, *words)
    assert (code, one_sentence(told)) == (2, True)
    assert says in told
    assert list(tmp_path.iterdir()) == []


def test_what_a_worker_raised_comes_without_its_traceback(tmp_path: Path, capsys, caplog):
    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD)
    assert live(capsys, source, lake)[0] == 0
    for file in Lake(lake).held(EVENTS):
        Path(file).write_bytes(b"damaged")
    (tmp_path / "drop/ups").mkdir(parents=True)
    (tmp_path / "drop/ups/2026-03-02.csv").write_text("no header\n")
    code, told = run(capsys, "nightly", "--drop", tmp_path / "drop", "--lake", lake, "--date", "2026-03-02")
    assert (code, one_sentence(told)) == (1, True)
    assert Path(file).name in told
    assert not caplog.records


def test_a_file_of_the_lake_that_must_not_be_written_is_named(tmp_path: Path, capsys):
    source, lake = tmp_path / "events.jsonl", tmp_path / "lake"
    source.write_bytes(GOOD)
    (lake / "live.lock").mkdir(parents=True)
    code, told = run(capsys, "live", "--input", source, "--lake", lake)
    assert (code, told.splitlines()[-1]) == (1, f"milepost: {lake / 'live.lock'}: Is a directory.")
