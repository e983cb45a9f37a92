"""A Postgres cluster for trials, on this machine alone, in a temporary folder and on a free loopback port.

    python -m scripts.postgres.cluster

It ends with this process. Anybody on this machine may connect: it is for trials.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from scripts import servers
from scripts.servers import HOST, PATIENCE, becomes, free_ports, said, until_signal


class Postgres:
    """A running cluster, as a context manager.

    Attributes:
        folder: its data, socket and log.
        port: on the loopback address.
    """

    def __init__(self, *, fsync: bool = True, settings: tuple[str, ...] = ()) -> None:
        """Choose whether what is committed survives the machine, which a kill does not need; and further settings."""
        self.fsync = fsync
        self.settings = settings
        self.folder = Path()
        self.port = 0

    @property
    def dsn(self) -> str:
        """Give the address of its database."""
        return f"postgresql://milepost@{HOST}:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Give the id of the postmaster."""
        return int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])

    def start(self) -> None:
        """Start the server and wait until it takes connections.

        Raises:
            RuntimeError: it does not start; its last word says why.
        """
        settings = [f"port={self.port}", f"listen_addresses={HOST}", f"unix_socket_directories={self.folder}"]
        settings += self.settings
        if not self.fsync:
            settings += ["fsync=off", "full_page_writes=off"]
        command = [
            *_as_user(),
            _program("postgres"),
            "-D",
            str(self.folder / "data"),
            *(f"-c{one}" for one in settings),
        ]
        log = self.folder / "server.log"
        server = servers.start(command, log, cwd=self.folder)
        if not becomes(self._ready, server):
            servers.end(server, signal.SIGKILL)
            raise RuntimeError(f"Postgres did not start: {said(log)[-1]}")
        self._server = server

    def stop(self) -> None:
        """Stop the server, breaking off what is under way."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server as a power cut would: its processes notice that the postmaster is gone, and end."""
        children = _children(self.pid)
        self._end(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        # Until the last of them is gone no server starts on the same data.
        until = time.monotonic() + PATIENCE
        while any(_runs(child) for child in children) and time.monotonic() < until:
            time.sleep(0.01)

    def __enter__(self) -> "Postgres":
        """Make a cluster and start it."""
        self.folder = Path(tempfile.mkdtemp(prefix="milepost-postgres-"))
        try:
            user = _as_user()
            if user:
                owner = pwd.getpwnam(user[2])
                os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            (self.port,) = free_ports(1)
            subprocess.run(
                [*user, _program("initdb"), "-D", str(self.folder / "data"), "-U", "milepost", "-A", "trust",
                 "-E", "UTF8", "--locale=C", "--no-sync"],
                check=True, capture_output=True, cwd=self.folder,
            )  # fmt: skip
            self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and take its folder away."""
        if self._server.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        # Not the process that was started: that may be one that only changed the user.
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid, how)
        self._server.wait(PATIENCE)

    def _ready(self) -> bool:
        asked = [_program("pg_isready"), "-q", "-h", HOST, "-p", str(self.port), "-U", "milepost", "-d", "postgres"]
        return subprocess.run(asked, stdout=subprocess.DEVNULL, check=False).returncode == 0


def lacking() -> str | None:
    """Say in one sentence what a cluster needs and this machine does not have; None if it has all."""
    try:
        _program("initdb")
        _as_user()
    except RuntimeError as fault:
        return str(fault)
    return None


def _program(name: str) -> str:
    """Find a program of the newest server that is installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("[0-9]*"), key=lambda path: int(path.name.partition(".")[0]))
    for folder in (*(str(path / "bin") for path in reversed(versions)), None):
        found = shutil.which(name, path=folder)
        if found:
            return found
    raise RuntimeError("There is no Postgres server on this machine: install the package postgresql.")


def _as_user() -> list[str]:
    """Give the words that run a command as somebody whom Postgres does not refuse: it refuses root."""
    if os.geteuid():
        return []
    if not shutil.which("runuser"):
        raise RuntimeError("Postgres does not run as root, and there is no runuser to run it as somebody else.")
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            pwd.getpwnam(name)
            return ["runuser", "-u", name, "--"]
    raise RuntimeError("Postgres does not run as root, and there is no user postgres or nobody.")


def _runs(pid: int) -> bool:
    """Tell whether a process is there, and not only waits for its end to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main() -> None:
    """Run a cluster until a signal ends it."""
    with until_signal(), Postgres() as cluster:
        print(f"Postgres {cluster.pid} takes connections at {cluster.dsn}. Ctrl-C ends it.", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
