"""A Kafka broker for trials, on this machine alone: one node that is its own controller (KRaft).

    python -m scripts.kafka.broker

Everything lies in a temporary folder and listens on free loopback ports. The broker ends with this process.
"""

import signal
import subprocess
import tempfile
from pathlib import Path

from scripts.servers import HOST, Server, becomes, free_ports, java, listens, said, start, until_signal

JARS = Path(__file__).with_name("lib")
"""What the broker is made of; `scripts/kafka/setup` fetches it."""

STAMP = JARS / "setup.stamp"


class Broker(Server):
    """A running broker, as a context manager; stopped, it keeps its data. Topics come into being when written to.

    Attributes:
        folder: configuration, log and data; a broker started again there has kept its topics.
        address: where it listens, as host and port.
    """

    def __init__(self, folder: Path, partitions: int = 4) -> None:
        """Take a folder, and how many partitions a new topic has."""
        self.folder = folder
        self.partitions = partitions
        self._port, self._controller = free_ports(2)
        self.address = f"{HOST}:{self._port}"
        self._began = 0

    def start(self) -> None:
        """Start, and wait until it listens; RuntimeError where Kafka is not set up, or did not start in time."""
        if not STAMP.exists():
            raise RuntimeError("Kafka is not set up: run scripts/kafka/setup")
        settings = self.folder / "server.properties"
        if not settings.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            settings.write_text(self._configuration())
            storage = ("kafka.tools.StorageTool", "format", "--cluster-id", "milepost-trials", "--config")
            done = subprocess.run([*_kafka("128m"), *storage, settings], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"Kafka's storage could not be made: {(done.stdout + done.stderr).strip()}")
        self._began = self._log.stat().st_size if self._log.exists() else 0
        self.process = start([*_kafka("512m"), "kafka.Kafka", str(settings)], self._log)
        if not becomes(self._ready, self.process):
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"Kafka did not start: {self._complaint()}")

    @property
    def _log(self) -> Path:
        return self.folder / "broker.log"

    def _ready(self) -> bool:
        # Its port opens before it takes part in its own cluster.
        return listens(self._port) and any("Kafka Server started" in line for line in said(self._log, self._began))

    def _complaint(self) -> str:
        lines = said(self._log, self._began)
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


def _kafka(heap: str) -> list[str]:
    """Give the command line of Java with Kafka's jars, up to the name of a class."""
    return [java(), f"-Xmx{heap}", "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{JARS}/*"]


def main() -> None:
    """Run a broker until a signal ends it."""
    with (
        until_signal(),
        tempfile.TemporaryDirectory(prefix="milepost-kafka-") as folder,
        Broker(Path(folder)) as broker,
    ):
        print(f"Kafka listens at {broker.address}; logs: {folder}. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
