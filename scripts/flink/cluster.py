"""A Flink cluster for trials, on this machine alone: a JobManager, a TaskManager, and a pool of Python workers.

    python -m scripts.flink.cluster [--slots N]

Everything lies in a temporary folder and listens on free loopback ports. The cluster ends with this process.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

from pipelines.arguments import up_to
from scripts import servers
from scripts.flink.options import JOB_SERVER, flink_options
from scripts.servers import HOST, PATIENCE, free_ports, listens, said, until_signal

ROOT = Path(__file__).parents[2]

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

# A TaskManager started without Flink's own scripts derives no part of its memory: each must be named.
MEMORY = """\
jobmanager.memory.process.size: 1g
taskmanager.cpu.cores: 2
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.task.off-heap.size: 0
taskmanager.memory.managed.size: 256m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.network.sort-shuffle.min-buffers: 64
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
"""


class Cluster:
    """A running cluster, as a context manager.

    Attributes:
        folder: configuration, logs and checkpoints.
        address: where it takes jobs and questions, as host and port.
        processes: by the names `jobmanager`, `taskmanager` and `workers`; each leads a group of its own.
    """

    def __init__(self, folder: Path, slots: int = 2) -> None:
        """Take an empty folder, and how many tasks run at a time."""
        self.folder = folder
        self.slots = slots
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        rest, self._rpc, self._pool = free_ports(3)
        self.address = f"{HOST}:{rest}"

    def options(self, parallelism: int = 2, *, bounded: bool = True) -> list[str]:
        """Give the options with which Beam runs a graph here, one that ends or one that does not."""
        return [
            *flink_options(self.address, parallelism),
            "--environment_type=EXTERNAL",
            f"--environment_config={HOST}:{self._pool}",
            # Else each stage of a bounded job starts workers of its own.
            *([f"--environment_cache_millis={PATIENCE * 1_000}"] if bounded else []),
        ]

    def ask(self, path: str, method: str = "GET") -> Any:  # noqa: ANN401
        """Ask the JobManager something by its REST interface; give the answer."""
        request = urllib.request.Request(f"http://{self.address}{path}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def jobs(self) -> dict[str, str]:
        """Give the state of each job by its id."""
        return {job["jid"]: job["state"] for job in self.ask("/jobs/overview")["jobs"]}

    def cancel(self, job: str) -> None:
        """Cancel a job: what Beam's own `cancel` leaves running."""
        self.ask(f"/jobs/{job}?mode=cancel", "PATCH")

    def start(self, name: str) -> None:
        """Start one of the processes; it need not be ready yet."""
        commands = {
            "jobmanager": [*_flink("512m"), JOB_MANAGER, "--configDir", str(self.folder)],
            "taskmanager": [*_flink("640m"), TASK_MANAGER, "--configDir", str(self.folder)],
            "workers": [
                sys.executable,
                "-m",
                "apache_beam.runners.worker.worker_pool_main",
                f"--service_port={self._pool}",
            ],
        }
        # The pool starts its workers as `python`, which must be this one and find our modules. A pool of memory for
        # each of a worker's many threads would hold several times what is in use.
        path = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        }
        self.processes[name] = servers.start(commands[name], self._log(name), env=os.environ | path)

    def stop(self, name: str, how: signal.Signals = signal.SIGINT) -> None:
        """Stop one of the processes with all that it started."""
        # With its group: a pool that was killed has not ended its workers.
        servers.end(self.processes.pop(name), how)

    def wait(self) -> None:
        """Wait until all is ready.

        Raises:
            RuntimeError: a process ended, or is not ready in time.
        """
        until = time.monotonic() + PATIENCE
        while not self._ready():
            for name, process in self.processes.items():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"Flink's {name} did not start: {self._complaint(name)}")
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            slots: int = self.ask("/overview")["slots-total"]
        except (urllib.error.URLError, OSError):
            return False
        return slots >= self.slots and listens(self._pool)

    def __enter__(self) -> "Cluster":
        """Start, and wait until all is ready."""
        (self.folder / "flink-conf.yaml").write_text(self._configuration())
        try:
            for name in ("jobmanager", "taskmanager", "workers"):
                self.start(name)
            self.wait()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all."""
        self._stop_all()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _complaint(self, name: str) -> str:
        """Give the root of what a process complained of, or else its last word."""
        lines = said(self._log(name))
        return next((line for line in reversed(lines) if line.startswith("Caused by: ")), lines[-1])

    def _stop_all(self) -> None:
        for name in reversed(list(self.processes)):
            self.stop(name)

    def _configuration(self) -> str:
        host, port = self.address.split(":")
        # Parent first: the cluster and what Beam hands to it are the same jars.
        return f"""\
jobmanager.rpc.address: {host}
jobmanager.rpc.port: {self._rpc}
jobmanager.bind-host: {host}
rest.address: {host}
rest.bind-address: {host}
rest.port: {port}
taskmanager.host: {host}
taskmanager.bind-host: {host}
taskmanager.numberOfTaskSlots: {self.slots}
classloader.resolve-order: parent-first
cluster.registration.error-delay: 500
# By default a TaskManager that is gone is missed for most of a minute.
heartbeat.interval: 1000
heartbeat.timeout: 8000
io.tmp.dirs: {self.folder}
state.checkpoints.dir: {(self.folder / "checkpoints").as_uri()}
state.savepoints.dir: {(self.folder / "savepoints").as_uri()}
{MEMORY}"""


def _flink(heap: str) -> list[str]:
    """Give the command line of Java with Flink's jars, up to the name of a class."""
    with zipfile.ZipFile(JOB_SERVER) as jar:
        manifest = jar.read("META-INF/MANIFEST.MF").decode().replace("\r\n ", "")
    # What a manifest opens counts for a program started by its jar only.
    opens = next(line for line in manifest.splitlines() if line.startswith("Add-Opens: ")).split()[1:]
    return [
        servers.java(),
        f"-Xmx{heap}",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
        *(f"--add-opens={package}=ALL-UNNAMED" for package in opens),
        "-cp",
        str(JOB_SERVER),
    ]


def main() -> None:
    """Run a cluster until a signal ends it."""
    parser = argparse.ArgumentParser(prog="scripts/flink/cluster", description="A Flink cluster for trials.")
    parser.add_argument("--slots", type=up_to(64), default=2, metavar="N", help="tasks at a time (default %(default)s)")
    args = parser.parse_args()
    with (
        until_signal(),
        tempfile.TemporaryDirectory(prefix="milepost-flink-") as folder,
        Cluster(Path(folder), args.slots) as cluster,
    ):
        pids = ", ".join(f"{name} {process.pid}" for name, process in cluster.processes.items())
        print(f"Flink takes jobs at http://{cluster.address}; processes: {pids}; logs: {folder}. Ctrl-C ends it.")
        print("Put a command of milepost on it with:", *cluster.options(bounded=False), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
