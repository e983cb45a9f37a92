"""A simulated day from each source, on Flink with checkpoints, into the lake and Postgres: what both say is the truth."""

import json
import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from pipelines.simulate import run
from schemas.spool import SpoolWriter
from tests.live.days import check_lake, check_store, compressed, play, still
from tests.sources import test_kafka, test_pubsub

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

PATIENCE = 240
SECONDS = float(os.environ.get("MILEPOST_DAY_SECONDS", "45"))
"""How long the day lasts that is played while the job runs; two minutes and more for a longer look."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """Make up a day."""
    folder = tmp_path_factory.mktemp("day") / "shop"
    run(folder, 600, 1, 5)
    return folder


class LiveRun:
    """A live run on Flink, in a group of processes of its own."""

    def __init__(self, folder: Path, uri: str, store: str, clock) -> None:
        """Start it."""
        self.log = folder / "log"
        words = ["--input", uri, "--lake", str(folder / "lake"), "--postgres", store, "--checkpointing_interval=2000"]
        command = [sys.executable, "-m", "scripts.flink.options", "live", *words, "--clock", clock_text(clock)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=Path(__file__).parents[2], stdout=log, stderr=log, start_new_session=True
            )

    def end(self) -> None:
        """Wait for its end, which must be a good one."""
        try:
            code = self.process.wait(PATIENCE)
            assert code == 0, self.log.read_text()[-4000:]
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def clock_text(clock) -> str:
    """Give a clock as the option has it."""
    return json.dumps(msgspec.to_builtins(clock))


def test_a_spool_that_is_written_while_the_day_passes(shop, dsn, tmp_path):
    clock = compressed(shop, SECONDS, delay=15)
    with SpoolWriter(tmp_path / "spool") as writer:
        running = LiveRun(tmp_path, f"spool://{tmp_path / 'spool'}", dsn, clock)
        play(shop, clock, writer.append)
        running.end()
    check_lake(shop, tmp_path / "lake")
    check_store(shop, dsn)


@pytest.mark.kafka
def test_a_kafka_topic(shop, dsn, broker, tmp_path):
    topic = f"day{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    test_kafka.send(broker, topic, (shop / "events.jsonl").read_bytes().splitlines())
    # One reader: of several, a trial's job may end before time has ended for all of them.
    LiveRun(tmp_path, f"kafka://{broker.address}/{topic}?readers=1", dsn, still(shop)).end()
    check_lake(shop, tmp_path / "lake")
    check_store(shop, dsn)


@pytest.mark.pubsub
def test_a_pubsub_subscription(shop, dsn, emulator, tmp_path):
    name = f"day{uuid.uuid4().hex[:8]}"
    test_pubsub.subscribe(name)
    test_pubsub.send(name, (shop / "events.jsonl").read_bytes().splitlines())
    LiveRun(tmp_path, f"pubsub://trial/{name}", dsn, still(shop)).end()
    check_lake(shop, tmp_path / "lake")
    check_store(shop, dsn)
