"""A Kafka broker for trials, on this machine alone: one node that is its own controller (KRaft).

    python -m scripts.kafka.broker

Everything lies in a temporary folder and listens on free loopback ports. The broker ends with this process.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

from scripts.flink.cluster import HOST, free_ports

JARS = Path(__file__).with_name("lib")
"""What the broker is made of; `scripts/kafka/setup` fetches it."""

STAMP = JARS / "setup.stamp"
PATIENCE = 60
"""Seconds in which a broker must have started."""


class Broker:
    """A running broker, as a context manager. Topics come into being when first written to.

    Attributes:
        folder: configuration, log and data; a broker started again there has kept its topics.
        address: where it listens, as host and port.
        process: the running broker, if it runs.
    """

    def __init__(self, folder: Path, partitions: int = 4) -> None:
        """Take a folder, and how many partitions a new topic has."""
        self.folder = folder
        self.partitions = partitions
        port, self._controller = free_ports(2)
        self.address = f"{HOST}:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._began = 0

    def start(self) -> None:
        """Start, and wait until it listens.

        Raises:
            RuntimeError: Kafka is not set up, or did not start in time.
        """
        if not STAMP.exists():
            raise RuntimeError("Kafka is not set up: run scripts/kafka/setup")
        settings = self.folder / "server.properties"
        if not settings.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            settings.write_text(self._configuration())
            storage = ("kafka.tools.StorageTool", "format", "--cluster-id", "milepost-trials", "--config")
            done = subprocess.run([*java("128m"), *storage, settings], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"Kafka's storage could not be made: {(done.stdout + done.stderr).strip()}")
        with (self.folder / "broker.log").open("ab") as log:
            self._began = log.tell()
            self.process = subprocess.Popen(
                [*java("512m"), "kafka.Kafka", str(settings)], stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + PATIENCE
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"Kafka did not start: {self._complaint()}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the broker, if it runs; it keeps its data."""
        if self.process is None:
            return
        self.process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self) -> "Broker":
        """Start, and wait until it listens."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def _listens(self) -> bool:
        host, port = self.address.split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        # Its port opens before it takes part in its own cluster.
        return "Kafka Server started" in self._said()

    def _said(self) -> str:
        """Give what it has logged since it was last started."""
        return (self.folder / "broker.log").read_bytes()[self._began :].decode(errors="replace")

    def _complaint(self) -> str:
        lines = self._said().splitlines() or ["it said nothing"]
        return next((line for line in reversed(lines) if "Exception" in line), lines[-1])

    def _configuration(self) -> str:
        return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{self._controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{self.address},CONTROLLER://{HOST}:{self._controller}
advertised.listeners=PLAINTEXT://{self.address}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={self.folder / "data"}
num.partitions={self.partitions}
auto.create.topics.enable=true
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A broker that was killed may not come back before it is known to be dead.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=250
"""


def java(heap: str) -> list[str]:
    """Give the command line of Java with Kafka's jars, up to the name of a class."""
    home = os.environ.get("JAVA_HOME")
    return [
        str(Path(home, "bin/java")) if home else "java",
        f"-Xmx{heap}",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-cp",
        f"{JARS}/*",
    ]


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Run a broker until a signal ends it."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    with tempfile.TemporaryDirectory(prefix="milepost-kafka-") as folder, Broker(Path(folder)) as broker:
        print(f"Kafka listens at {broker.address}; logs: {folder}. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
