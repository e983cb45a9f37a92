"""The Pub/Sub emulator for trials, on this machine alone, out of the Google Cloud SDK.

    python -m scripts.pubsub.emulator

It keeps everything in memory and listens on a free loopback port. The emulator ends with this process.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

from scripts.flink.cluster import HOST, free_ports

PATIENCE = 60
"""Seconds in which it must have started."""


class Emulator:
    """A running emulator, as a context manager.

    Attributes:
        address: where it listens, as host and port: the value of `PUBSUB_EMULATOR_HOST`.
        process: the running emulator, if it runs.
    """

    def __init__(self, folder: Path) -> None:
        """Take a folder for its log."""
        self.folder = folder
        (self._port,) = free_ports(1)
        self.address = f"{HOST}:{self._port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it listens.

        Raises:
            RuntimeError: what it needs is missing, or it did not start in time.
        """
        lacking = missing()
        if lacking:
            raise RuntimeError(lacking)
        self.folder.mkdir(parents=True, exist_ok=True)
        # By its jar: gcloud's own command is a wrapper that leaves its Java behind when it is stopped.
        command = [_java(), "-Xmx512m", "-jar", str(_jar()), f"--host={HOST}", f"--port={self._port}"]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + PATIENCE
        while "Server started" not in self._log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop(signal.SIGKILL)
                said = self._log.read_text(errors="replace").splitlines() or ["it said nothing"]
                raise RuntimeError(f"The Pub/Sub emulator did not start: {said[-1]}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the emulator, if it runs; what it held is gone."""
        if self.process is None:
            return
        self.process.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def __enter__(self) -> "Emulator":
        """Start, and wait until it listens."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / "emulator.log"


def missing() -> str | None:
    """Say in one sentence what is missing for an emulator; None where nothing is."""
    if shutil.which("gcloud") is None:
        return "The Pub/Sub emulator is a part of the Google Cloud SDK, which is not there: install gcloud."
    if _jar() is None:
        return (
            "The Google Cloud SDK has no Pub/Sub emulator: run `gcloud components install pubsub-emulator`,"
            " or install google-cloud-cli-pubsub-emulator."
        )
    if shutil.which(_java()) is None:
        return "The Pub/Sub emulator needs Java, and none is there."
    return None


def _jar() -> Path | None:
    sdk = Path(shutil.which("gcloud") or "").resolve().parents[1]
    return next(iter(sorted((sdk / "platform/pubsub-emulator/lib").glob("cloud-pubsub-emulator-*-all.jar"))), None)


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin/java")) if home else "java"


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    """Run an emulator until a signal ends it."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    with tempfile.TemporaryDirectory(prefix="milepost-pubsub-") as folder, Emulator(Path(folder)) as emulator:
        print(f"export PUBSUB_EMULATOR_HOST={emulator.address}  # log: {folder}; Ctrl-C ends it", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
