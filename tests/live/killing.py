"""What kills one thing after the other, and starts again what whatever watches over processes would start again."""

import os
import random
import signal
import statistics
import subprocess
import threading
import time
from contextlib import suppress
from urllib.error import URLError

from scripts.flink.cluster import Cluster


def children(pid: int) -> list[int]:
    """Give the processes that a process started."""
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in told.stdout.split()]


class Killer(threading.Thread):
    """Kills from a list, one after the other, with pauses of random length between; then ends.

    Attributes:
        done: what was killed, in order.
        away: seconds until the job took checkpoints again, after each kill that it felt.
    """

    def __init__(self, name, kinds, pause, seed):
        """Take methods by their names, the mean pause in seconds, and the seed of chance."""
        super().__init__(daemon=True, name=name)
        self.kinds, self.pause = list(kinds), pause
        self.random = random.Random(seed)
        self.done, self.away = [], []
        self.fault = None

    def run(self):
        """Kill as often as told."""
        try:
            self.random.shuffle(self.kinds)
            for kind in self.kinds:
                time.sleep(self.pause * (0.5 + self.random.random()))
                getattr(self, kind)()
                self.done.append(kind)
        except Exception as fault:
            self.fault = fault

    def finish(self):
        """Wait for the end."""
        self.join()
        if self.fault:
            raise self.fault

    def down(self):
        """Wait for as long as something may be away."""
        time.sleep(self.random.uniform(0.2, 3))


class JobKiller(Killer):
    """Kills what the job runs in."""

    def __init__(self, cluster: Cluster, job, *more):
        """Take the cluster, and the run that put the job there."""
        super().__init__("jobs", *more)
        self.cluster, self.job = cluster, job

    def taskmanager(self):
        """Kill the TaskManager, and start another."""
        with self._felt():
            self.cluster.stop("taskmanager", signal.SIGKILL)
            self.cluster.start("taskmanager")

    def worker(self):
        """Kill the Python workers that run; Flink asks the pool for new ones."""
        with self._felt():
            for pid in children(self.cluster.processes["workers"].pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def whole(self):
        """Kill everything: the cluster with all its jobs, and the run that waits for it; then start both again."""
        with self._felt():
            self.job.kill()
            for name in list(self.cluster.processes):
                self.cluster.stop(name, signal.SIGKILL)
            for name in ("jobmanager", "taskmanager", "workers"):
                self.cluster.start(name)
            self.cluster.wait()
            self.job.start()

    def launcher(self):
        """Kill the run that waits for the job, which goes on; one started again watches it."""
        self.job.kill()
        self.down()
        self.job.start()

    def _felt(self):
        return Felt(self)

    def checkpoint(self):
        """Give the time at which the newest checkpoint of the running job was done, in ms; None without one."""
        try:
            for job, state in self.cluster.jobs().items():
                if state == "RUNNING":
                    newest = self.cluster.ask(f"/jobs/{job}/checkpoints")["latest"]["completed"]
                    return newest and newest["latest_ack_timestamp"]
        except (URLError, OSError):
            return None
        return None


class Felt:
    """Measures how long the job was away, as a context manager."""

    def __init__(self, killer):
        """Take whose kill it is."""
        self.killer = killer

    def __enter__(self):
        """Begin."""
        self.began = time.time()

    def __exit__(self, kind, *_):
        """Wait until there is a checkpoint that was begun since."""
        if kind is not None:
            return
        until = time.monotonic() + 150
        while ((self.killer.checkpoint() or 0) / 1000) < self.began + 1:
            assert time.monotonic() < until, "the job did not come back"
            time.sleep(0.3)
        self.killer.away.append(time.time() - self.began)


class SideKiller(Killer):
    """Kills what stands beside the job."""

    def __init__(self, database, broker, relay, *more):
        """Take what may be killed."""
        super().__init__("sides", *more)
        self.database, self.the_broker, self.the_relay = database, broker, relay

    def postgres(self):
        """Kill the database, and start it again after a while."""
        self.database.kill()
        self.down()
        self.database.start()

    def broker(self):
        """Kill the broker, and start it again after a while."""
        self.the_broker.stop(signal.SIGKILL)
        self.down()
        self.the_broker.start()

    def relay(self):
        """Kill the relay, and start it again after a while."""
        self.the_relay.kill()
        self.down()
        self.the_relay.start()


def told(seconds) -> str:
    """Say how long something took."""
    return f"median {statistics.median(seconds):.1f} s, longest {max(seconds):.1f} s" if seconds else "never away"
