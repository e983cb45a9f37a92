"""The spool as a source, without an engine."""

import tempfile
from pathlib import Path

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import UsageError
from pipelines.sources import Replay, is_live, open_source, unbounded
from pipelines.sources.spool import SpoolSource
from pipelines.sources.unbounded import DONE, MEMORY, Mark, Progress, Timing, pace_of
from schemas.clock import Clock
from schemas.fields import HOUR, MINUTE
from schemas.spool import SpoolWriter, delete_done, read_done, segment_path, segments
from tests.sources.driving import Driver
from tests.sources.events import BASE, line, lines


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No waiting for lines to gather."""
    monkeypatch.setattr(unbounded, "GATHER", 0.0)


def spool(folder, clock=None):
    return SpoolSource(str(folder), Timing(clock or Clock(until=BASE + 1000 * HOUR), 5 * MINUTE))


def test_every_line_comes_once_in_order_over_segments_and_marks(tmp_path):
    with SpoolWriter(tmp_path, segment_bytes=5_000) as writer:
        for first in range(0, 1_000, 50):
            writer.append(lines(first, 50))
    assert len(segments(tmp_path)) > 10
    driver = Driver(spool(tmp_path))
    while driver.step():
        driver.checkpoint(anew=len(driver.lines) % 100 == 0)
    assert driver.lines == lines(0, 1_000)


def test_blocks_say_where_their_lines_stood(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.sources.spool.BLOCK_BYTES", 300)
    with SpoolWriter(tmp_path) as writer:
        writer.append(lines(0, 10))
    driver = Driver(spool(tmp_path))
    firsts = []
    while driver.step():
        block = driver.reader.get_current()
        assert block.source == str(segment_path(tmp_path, 1))
        firsts.append((block.first_line, block.lines.split(b"\n")[0]))
        driver.checkpoint()
    assert firsts == [(n + 1, line(n)) for n in range(0, 10, 2)]


def test_a_torn_line_waits_for_its_end(tmp_path):
    path = segment_path(tmp_path, 1)
    path.write_bytes(line(0) + b"\n" + line(1)[:20])
    driver = Driver(spool(tmp_path))
    driver.drain()
    assert driver.lines == [line(0)]
    with path.open("ab") as file:
        file.write(line(1)[20:] + b"\n")
    driver.drain()
    assert driver.lines == [line(0), line(1)]


def test_a_torn_line_at_the_end_of_a_closed_segment_never_counts(tmp_path):
    segment_path(tmp_path, 1).write_bytes(line(0) + b"\n" + line(1)[:20])
    driver = Driver(spool(tmp_path))
    driver.drain()
    with SpoolWriter(tmp_path) as writer:
        writer.append([line(1)])
    driver.drain()
    assert driver.lines == [line(0), line(1)]


def test_a_line_longer_than_a_block_comes_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.sources.spool.BLOCK_BYTES", 64)
    long = b'{"pad":"' + b"x" * 1_000 + b'"}'
    with SpoolWriter(tmp_path) as writer:
        writer.append([b"{}", long, b"{}"])
    driver = Driver(spool(tmp_path))
    driver.drain()
    assert driver.lines == [b"{}", long, b"{}"]


def test_a_spool_that_is_not_there_yet_is_waited_for(tmp_path):
    driver = Driver(spool(tmp_path / "later"))
    assert not driver.step()
    with SpoolWriter(tmp_path / "later") as writer:
        writer.append([line(0)])
    driver.drain()
    assert driver.lines == [line(0)]


def test_a_folder_that_fails_for_a_while_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(unbounded.Patience, "LONGEST", 0.01)
    with SpoolWriter(tmp_path / "spool") as writer:
        writer.append([line(0)])
        segment_path(tmp_path / "spool", 1).rename(tmp_path / "away")
        segment_path(tmp_path / "spool", 1).mkdir()
        driver = Driver(spool(tmp_path / "spool"))
        assert not driver.step() and not driver.step()
        segment_path(tmp_path / "spool", 1).rmdir()
        (tmp_path / "away").rename(segment_path(tmp_path / "spool", 1))
        driver.read(1)


def test_what_is_finished_is_noted_and_where_a_job_without_a_mark_begins(tmp_path):
    with SpoolWriter(tmp_path, segment_bytes=1) as writer:
        for number in range(4):
            writer.append([line(number)])
        driver = Driver(spool(tmp_path))
        driver.read(3)
        driver.checkpoint().finalize_checkpoint()
        driver.drain()
        assert read_done(tmp_path).segment == 3 and delete_done(tmp_path) == 2
        fresh = Driver(spool(tmp_path))
        fresh.drain()
        assert fresh.lines == [line(3)]


def test_a_mark_older_than_what_was_deleted_goes_on_with_what_is_there(tmp_path):
    with SpoolWriter(tmp_path, segment_bytes=1) as writer:
        for number in range(4):
            writer.append([line(number)])
    driver = Driver(spool(tmp_path))
    driver.read(1)
    driver.checkpoint()
    for number in (1, 2):
        segment_path(tmp_path, number).unlink()
    driver.crash()
    driver.drain()
    assert driver.lines == [line(0), line(2), line(3)]


def test_ticks_and_the_idle_clock_outlive_readers(tmp_path, monkeypatch):
    monkeypatch.setattr(unbounded, "TICK", 0.1)
    monkeypatch.setattr("pipelines.sources.watermarks.QUIET", 0.3)
    with SpoolWriter(tmp_path) as writer:
        writer.append([line(0)])
    driver = Driver(spool(tmp_path, Clock(until=BASE + HOUR)))
    driver.read(1)
    assert driver.watermark == Timestamp(micros=BASE - 5 * MINUTE)
    while driver.watermark == Timestamp(micros=BASE - 5 * MINUTE):
        driver.step()
        driver.checkpoint()
    # Had each reader a pace of its own, this would not come about at all.
    assert driver.watermark == Timestamp(micros=BASE + HOUR - 5 * MINUTE)
    assert driver.ticks


def test_a_trial_ends_when_its_clock_does_and_everything_is_read(tmp_path, monkeypatch):
    for name in ("pipelines.sources.watermarks.QUIET", "pipelines.sources.unbounded.QUIET"):
        monkeypatch.setattr(name, 0.2)
    monkeypatch.setattr(unbounded, "TICK", 0.05)
    with SpoolWriter(tmp_path) as writer:
        writer.append(lines(0, 5))
    driver = Driver(spool(tmp_path, Clock(until=BASE)))
    while driver.watermark != MAX_TIMESTAMP:
        driver.step()
    assert driver.lines == lines(0, 5)
    assert not driver.step()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 5)),
        st.tuples(st.just("tear"), st.integers(1, 40)),
        st.tuples(st.sampled_from(["restart", "read", "checkpoint", "keep", "finish", "crash", "delete"]), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(STEPS)
def test_whatever_happens_each_line_comes_and_without_a_crash_once(steps):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        writer, written, crashed = SpoolWriter(folder, segment_bytes=400), 0, False
        driver = Driver(spool(folder))
        mark = None
        for step, number in steps:
            match step:
                case "write":
                    writer.append(lines(written, number))
                    written += number
                case "tear" | "restart":
                    writer.close()
                    if step == "tear" and segments(folder):
                        with segment_path(folder, segments(folder)[-1]).open("ab") as file:
                            file.write(line(10_000)[:number])
                    writer = SpoolWriter(folder, segment_bytes=400)
                case "read":
                    driver.step()
                case "checkpoint" | "keep":
                    mark = driver.checkpoint(anew=step == "checkpoint")
                case "finish" if mark is not None:
                    mark.finalize_checkpoint()
                case "crash":
                    driver.crash()
                    crashed = True
                case "delete":
                    delete_done(folder)
        writer.close()
        driver.drain()
        if crashed:
            once = list(dict.fromkeys(driver.lines))
            assert once == lines(0, written)
        else:
            assert driver.lines == lines(0, written)


def test_sources_are_named(tmp_path):
    assert is_live("spool://x") and is_live("kafka://x") and not is_live("x.jsonl")
    (spool,) = open_source(f"spool://{tmp_path}/s", "").sources
    assert isinstance(spool, SpoolSource)
    (tmp_path / "e.jsonl").write_bytes(line(0))
    assert isinstance(open_source(str(tmp_path / "e.jsonl"), ""), Replay)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("spool://", "named spool://DIR"),
        ("amqp://host/queue", "no source amqp://"),
        ("kafka://host:9092", "write kafka://HOST:PORT/TOPIC"),
        ("kafka://host:9092/topic?grup=x", "no option grup"),
        ("kafka://host:9092/topic?readers=0", "no number from 1"),
        ("kafka://host:9092/topic?no.such=x", "refuses"),
        ("pubsub://project", "write pubsub://PROJECT/SUBSCRIPTION"),
        ("pubsub://project/s?group=x", "no option group"),
    ],
)
def test_a_source_that_makes_no_sense_is_one_sentence(uri, said):
    with pytest.raises(UsageError, match=said):
        open_source(uri, "")


def test_a_live_source_has_no_horizon(tmp_path):
    with pytest.raises(UsageError, match="--as-of"):
        open_source(f"spool://{tmp_path}", "", as_of=1)


def test_what_never_ends_may_be_several(tmp_path):
    one, other = f"spool://{tmp_path}/one", f"spool://{tmp_path}/other"
    assert [source.name for source in open_source([one, other], "").sources] == [one, other]
    (tmp_path / "e.jsonl").write_bytes(line(0))
    file = str(tmp_path / "e.jsonl")
    for uris, said in (([one, file], "ends"), ([file, one], "glob"), ([one, one], "named twice")):
        with pytest.raises(UsageError, match=said):
            open_source(uris, "")


def test_what_is_put_away_is_done_only_when_rows_had_time_to_be_committed(tmp_path, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("pipelines.sources.unbounded.time.monotonic", lambda: clock[0])
    (source,) = open_source(f"spool://{tmp_path}", "", hold=60).sources
    pace = pace_of(source)
    for second, done in ((0, None), (30, None), (60, 1), (80, 1), (90, 2), (1000, 90)):
        clock[0] = pace.used = 1000.0 + second
        offset = {0: 1, 30: 2, 60: 3, 80: 4}.get(second, second)
        Mark(source, Progress(((MEMORY, (3, DONE)), (0, (1, offset, 0))))).finalize_checkpoint()
        found = read_done(tmp_path)
        assert (found.offset if found else None) == done
