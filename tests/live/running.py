"""Live runs and relays as processes of their own, that can be killed and started again by the same command."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.live.days import check_lake, check_store
from transforms.publish.lake import LakeError

ROOT = Path(__file__).parents[2]
EMBEDDED = ("-m", "scripts.flink.options", "live")
CHECKPOINTS = "--checkpointing_interval=2000"


def clock_text(clock) -> str:
    """Give a clock as the option has it."""
    return json.dumps(msgspec.to_builtins(clock))


class Process:
    """A command in a group of processes of its own, as a context manager; it may be started again after its end."""

    def __init__(self, command, log: Path, **environ):
        """Take the words after the name of Python, and where it writes what it says."""
        self.command = [sys.executable, *map(str, command)]
        self.log = log
        self.environ = os.environ | environ
        self.process = None

    def start(self):
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self):
        """End it and all that it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def runs(self) -> bool:
        """Tell whether it runs."""
        return self.process.poll() is None

    def said(self) -> str:
        """Give what it said."""
        return self.log.read_text()

    def lines(self, event: str):
        """Give the JSON lines that it wrote of one kind."""
        said = (line for line in self.said().splitlines() if line.startswith("{"))
        return [one for one in map(json.loads, said) if one["event"] == event]

    def __enter__(self):
        """Start."""
        self.start()
        return self

    def __exit__(self, *_):
        """End."""
        self.kill()


class LiveRun(Process):
    """A live run with checkpoints into `folder / "lake"`, on an embedded Flink or with the options of a cluster."""

    def __init__(self, folder: Path, inputs, store: str | None, clock, *options, cluster=None):
        """Take what it reads and where it tells it."""
        self.lake = folder / "lake"
        self.store = store
        told = ["--postgres", store] if store else []
        words = [word for uri in inputs for word in ("--input", uri)] + ["--lake", self.lake, *told, *options]
        words += ["--clock", clock_text(clock)] if clock else []
        start = EMBEDDED if cluster is None else ("-m", "pipelines", "live")
        on = [] if cluster is None else cluster.options(bounded=False)
        super().__init__([*start, *words, CHECKPOINTS, *on], folder / "live.log")

    def until_true(self, shop: Path, patience: float = 240) -> float:
        """Wait until the lake and the database say what is true, and then stay so; give the seconds it took."""
        began = time.monotonic()
        while True:
            assert self.runs(), self.said()[-4000:]
            try:
                self.check(shop)
                break
            except (AssertionError, LakeError):
                if time.monotonic() - began > patience:
                    print(self.said()[-4000:])
                    raise
                time.sleep(2)
        took = time.monotonic() - began
        # Whatever were told twice would be told by the next commits.
        time.sleep(4)
        self.check(shop)
        return took

    def check(self, shop: Path) -> None:
        """Make sure that the lake and the database say what is true."""
        check_lake(shop, self.lake)
        if self.store:
            check_store(shop, self.store)


class RelayRun(Process):
    """A relay that sends to a receiver of webhooks."""

    SECRET = "a secret of the trial"

    def __init__(self, folder: Path, store: str, url: str):
        """Take the outbox and the receiver."""
        config = folder / "relay.toml"
        config.write_text(
            'poll = "0.1 s"\nlease = "4 s"\n[channel.webhook]\nkind = "webhook"\n'
            f'url = "{url}"\nsecrets = ["HOOK_SECRET"]\ntimeout = "2 s"\nfirst_wait = "0.1 s"\nlongest_wait = "0.5 s"\n'
        )
        command = ("-m", "pipelines", "relay", "--outbox", store, "--config", config)
        super().__init__(command, folder / "relay.log", HOOK_SECRET=self.SECRET)
