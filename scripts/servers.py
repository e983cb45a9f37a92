"""What servers for trials have in common: loopback ports, processes in groups of their own, and an end by signal."""

import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Self

HOST = "127.0.0.1"
PATIENCE = 60
"""Seconds in which a server must have started."""


def free_ports(count: int) -> list[int]:
    """Give free loopback ports, no two alike."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def listens(port: int) -> bool:
    """Tell whether somebody listens at a loopback port."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def java() -> str:
    """Give the name of Java."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin/java")) if home else "java"


def start(
    command: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own; what it says is added to a log."""
    with log.open("ab") as sink:
        return subprocess.Popen(command, stdout=sink, stderr=sink, env=env, cwd=cwd, start_new_session=True)


def becomes(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Wait until a server is ready; give False if its process ended, or did not get there in time."""
    until = time.monotonic() + PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def end(process: subprocess.Popen[bytes], how: signal.Signals, patience: float = 10) -> None:
    """End a process that `start` started, and all that it started.

    Args:
        process: which.
        how: the signal that it gets alone; its group is killed afterwards.
        patience: seconds that it may take to end by it.
    """
    process.send_signal(how)
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class Server(ABC):
    """One server that runs as a process of its own, as a context manager.

    Attributes:
        process: the running server, if it runs.
    """

    process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start, and wait until it listens.

        Raises:
            RuntimeError: what it needs is missing, or it did not start in time.
        """

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server, if it runs."""
        if self.process is not None:
            end(self.process, how, 20)
            self.process = None

    def __enter__(self) -> Self:
        """Start, and wait until it listens."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def said(log: Path, since: int = 0) -> list[str]:
    """Give the lines that a process has logged since a place of its log, at least one."""
    return log.read_bytes()[since:].decode(errors="replace").splitlines() or ["it said nothing"]


def terminated(number: int, frame: FrameType | None) -> None:
    """End this process as an exit does, so that what it has started ends as well: a handler of SIGTERM."""
    sys.exit(128 + number)


@contextmanager
def until_signal() -> Iterator[None]:
    """Let this process end in order when a signal tells it to; a server that does not start is one sentence."""
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, _exit)
    try:
        yield
    except RuntimeError as fault:
        sys.exit(str(fault))


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
