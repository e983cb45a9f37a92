"""The Pub/Sub emulator for trials, on this machine alone, out of the Google Cloud SDK.

    python -m scripts.pubsub.emulator

It keeps everything in memory and listens on a free loopback port. The emulator ends with this process.
"""

import shutil
import signal
import tempfile
from pathlib import Path

from scripts.servers import HOST, Server, becomes, free_ports, java, said, start, until_signal


class Emulator(Server):
    """A running emulator, as a context manager; stopped, it has lost what it held.

    Attributes:
        address: where it listens, as host and port: the value of `PUBSUB_EMULATOR_HOST`.
    """

    def __init__(self, folder: Path) -> None:
        """Take a folder for its log."""
        self.folder = folder
        (self._port,) = free_ports(1)
        self.address = f"{HOST}:{self._port}"

    def start(self) -> None:
        """Start, and wait until it listens; RuntimeError where something is missing, or it did not start in time."""
        lacking = missing()
        if lacking:
            raise RuntimeError(lacking)
        self.folder.mkdir(parents=True, exist_ok=True)
        # By its jar: gcloud's own command is a wrapper that leaves its Java behind when it is stopped.
        command = [java(), "-Xmx512m", "-jar", str(_jar()), f"--host={HOST}", f"--port={self._port}"]
        self._log.unlink(missing_ok=True)
        self.process = start(command, self._log)
        if not becomes(self._ready, self.process):
            self.stop(signal.SIGKILL)
            raise RuntimeError(f"The Pub/Sub emulator did not start: {said(self._log)[-1]}")

    @property
    def _log(self) -> Path:
        return self.folder / "emulator.log"

    def _ready(self) -> bool:
        return any("Server started" in line for line in said(self._log))


def missing() -> str | None:
    """Say in one sentence what is missing for an emulator; None where nothing is."""
    if shutil.which("gcloud") is None:
        return "The Pub/Sub emulator is a part of the Google Cloud SDK, which is not there: install gcloud."
    if _jar() is None:
        return (
            "The Google Cloud SDK has no Pub/Sub emulator: run `gcloud components install pubsub-emulator`,"
            " or install google-cloud-cli-pubsub-emulator."
        )
    if shutil.which(java()) is None:
        return "The Pub/Sub emulator needs Java, and none is there."
    return None


def _jar() -> Path | None:
    sdk = Path(shutil.which("gcloud") or "").resolve().parents[1]
    return next(iter(sorted((sdk / "platform/pubsub-emulator/lib").glob("cloud-pubsub-emulator-*-all.jar"))), None)


def main() -> None:
    """Run an emulator until a signal ends it."""
    with (
        until_signal(),
        tempfile.TemporaryDirectory(prefix="milepost-pubsub-") as folder,
        Emulator(Path(folder)) as emulator,
    ):
        print(f"export PUBSUB_EMULATOR_HOST={emulator.address}  # log: {folder}; Ctrl-C ends it", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
