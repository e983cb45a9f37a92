"""Kills at random moments of a live day on a real cluster: nothing lost, nothing twice, and nobody had to lend a hand."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines.simulate import run
from schemas.spool import SpoolWriter
from scripts.flink.cluster import Cluster
from tests.live.days import check_lake, check_store, compressed, play
from tests.live.running import clock_text

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

KILLS = int(os.environ.get("MILEPOST_KILLS", "4"))
APART = 14.0
"""Seconds between two kills, about: a job that is killed while it recovers only recovers again."""
SLOW_START = 35.0
"""Seconds until a job runs on a cluster: its jars are sent there first."""


def children(pid: int) -> list[int]:
    """Give the processes that a process started."""
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in told.stdout.split()]


class Killer(threading.Thread):
    """Kills one thing after the other, and starts again what does not start by itself."""

    def __init__(self, cluster: Cluster, database, seed: int) -> None:
        """Take what may be killed."""
        super().__init__(daemon=True)
        self.cluster, self.database = cluster, database
        self.random = random.Random(seed)
        self.done: list[str] = []

    def run(self) -> None:
        """Kill as often as told."""
        time.sleep(SLOW_START)
        # Each kind at least once, the rest as it comes.
        kinds = ["taskmanager", "worker", "postgres"]
        kinds += self.random.choices(kinds, k=max(0, KILLS - len(kinds)))
        for kind in kinds[:KILLS]:
            time.sleep(APART * (0.5 + self.random.random()))
            getattr(self, kind)()
            self.done.append(kind)

    def taskmanager(self) -> None:
        """Kill the TaskManager, and start another, as whatever keeps a cluster alive does."""
        self.cluster.stop("taskmanager", signal.SIGKILL)
        self.cluster.start("taskmanager")

    def worker(self) -> None:
        """Kill the Python workers that run; Flink asks the pool for new ones."""
        for pid in children(self.cluster.processes["workers"].pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def postgres(self) -> None:
        """Kill the database, and start it again after a while."""
        self.database.kill()
        time.sleep(2)
        self.database.start()


def test_a_day_with_kills_ends_as_one_without(tmp_path, dsn, cluster):
    database = cluster
    run(tmp_path / "shop", 600, 1, 5)
    (tmp_path / "flink").mkdir()
    seconds = KILLS * APART + 15
    with Cluster(tmp_path / "flink") as flink, SpoolWriter(tmp_path / "spool") as writer:
        clock = compressed(tmp_path / "shop", seconds, delay=SLOW_START)
        words = ["--input", f"spool://{tmp_path / 'spool'}", "--lake", str(tmp_path / "lake"), "--postgres", dsn]
        command = [sys.executable, "-m", "pipelines", "live", *words, "--clock", clock_text(clock)]
        command += ["--checkpointing_interval=2000", *flink.options()]
        with (tmp_path / "log").open("wb") as log:
            running = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=log, stderr=log)
        killer = Killer(flink, database, 7)
        killer.start()
        try:
            play(tmp_path / "shop", clock, writer.append)
            killer.join()
            code = running.wait(240)
        finally:
            running.kill()
            running.wait()
        assert code == 0, (tmp_path / "log").read_text()[-4000:]
        restarts = [flink.ask(f"/jobs/{job}/exceptions").get("root-exception") for job in flink.jobs()]
    assert len(killer.done) == KILLS
    assert any(restarts), "no kill struck the job"
    check_lake(tmp_path / "shop", tmp_path / "lake")
    check_store(tmp_path / "shop", dsn)
    print(f"{KILLS} kills ({', '.join(killer.done)}): nothing lost, nothing twice")
