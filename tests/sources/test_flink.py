"""Each live source, read by Flink with checkpoints to the end of a trial's clock: every line comes, and the end does."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.spool import SpoolWriter, read_done
from tests.sources import test_kafka, test_pubsub
from tests.sources.events import lines

pytestmark = [pytest.mark.flink, pytest.mark.usefixtures("flink")]

COUNT = 4_000
PATIENCE = 120


def read_on_flink(uri, folder, *, readers=1):
    """Read a source on Flink until its end; give the lines.

    A job of several readers may be shut down before time has ended for all of them: that is of trials alone.
    """
    folder.mkdir(exist_ok=True)
    output, until = folder / "out", time.time_ns() // 1000
    command = [sys.executable, "-m", "tests.sources.reading", uri, str(output), str(until)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=Path(__file__).parents[2], stdout=log, stderr=log, start_new_session=True
        )
    try:
        code = process.wait(PATIENCE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert code == 0, (folder / "log").read_text()[-4000:]
    come = [one for one in output.read_bytes().split(b"\n") if one and one != b"tick"]
    assert readers > 1 or (folder / "out.end").exists(), f"{len(come)} lines, and no end"
    return come


def test_a_spool(tmp_path):
    with SpoolWriter(tmp_path / "spool", segment_bytes=100_000) as writer:
        for first in range(0, COUNT, 100):
            writer.append(lines(first, 100))
    assert read_on_flink(f"spool://{tmp_path / 'spool'}", tmp_path / "run") == lines(0, COUNT)
    assert read_done(tmp_path / "spool") is not None


@pytest.mark.kafka
def test_a_kafka_topic(broker, tmp_path):
    topic = f"t{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    test_kafka.send(broker, topic, lines(0, COUNT))
    come = read_on_flink(f"kafka://{broker.address}/{topic}", tmp_path / "run", readers=4)
    assert test_kafka.by_partition(come) == test_kafka.by_partition(lines(0, COUNT))


@pytest.mark.pubsub
def test_a_pubsub_subscription(emulator, tmp_path):
    name = f"s{uuid.uuid4().hex[:8]}"
    test_pubsub.subscribe(name)
    test_pubsub.send(name, lines(0, COUNT))
    come = read_on_flink(f"pubsub://trial/{name}", tmp_path / "run")
    assert sorted(come) == sorted(lines(0, COUNT))
