"""Each live source, read by Flink with checkpoints to the end of a trial's clock: every line comes, and the end does."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from schemas.spool import SpoolWriter, read_done
from tests.sources import test_kafka, test_pubsub
from tests.sources.events import lines

pytestmark = [pytest.mark.flink, pytest.mark.usefixtures("flink")]

COUNT = 4_000
PATIENCE = 120


@contextmanager
def read_on_flink(uri, folder):
    """Read a source on Flink until the end of time has come; give the lines, and stop at last."""
    folder.mkdir(exist_ok=True)
    output, clock = folder / "out", time.time_ns() // 1000
    command = [sys.executable, "-m", "tests.sources.reading", uri, str(output), str(clock)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for((folder / "out.end").exists, process, folder / "log")
        yield [one for one in output.read_bytes().split(b"\n") if one and one != b"tick"]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(met, process, log):
    """Wait until something is so, while a process runs."""
    until = time.monotonic() + PATIENCE
    while not met():
        assert process.poll() is None and time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(0.2)


def test_a_spool(tmp_path):
    with SpoolWriter(tmp_path / "spool", segment_bytes=100_000) as writer:
        for first in range(0, COUNT, 100):
            writer.append(lines(first, 100))
    with read_on_flink(f"spool://{tmp_path / 'spool'}", tmp_path / "run") as come:
        assert come == lines(0, COUNT)
        until = time.monotonic() + PATIENCE
        while read_done(tmp_path / "spool") is None:
            assert time.monotonic() < until, "no checkpoint was made known to the source"
            time.sleep(0.2)


def test_a_source_that_is_still_being_split_at_the_first_checkpoint(tmp_path):
    with SpoolWriter(tmp_path / "spool", segment_bytes=100_000) as writer:
        writer.append(lines(0, 100))
    with read_on_flink(f"slow+spool://{tmp_path / 'spool'}", tmp_path / "run") as come:
        assert come == lines(0, 100)


@pytest.mark.kafka
def test_a_kafka_topic(broker, tmp_path):
    topic = f"t{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    test_kafka.send(broker, topic, lines(0, COUNT))
    with read_on_flink(f"kafka://{broker.address}/{topic}?readers=4", tmp_path / "run") as come:
        assert test_kafka.by_partition(come) == test_kafka.by_partition(lines(0, COUNT))


@pytest.mark.pubsub
def test_a_pubsub_subscription(emulator, tmp_path):
    name = f"s{uuid.uuid4().hex[:8]}"
    test_pubsub.subscribe(name)
    test_pubsub.send(name, lines(0, COUNT))
    with read_on_flink(f"pubsub://trial/{name}", tmp_path / "run") as come:
        assert sorted(come) == sorted(lines(0, COUNT))
