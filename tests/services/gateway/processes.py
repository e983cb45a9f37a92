"""A gateway as a process of its own, as it is run."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

from tests.services.gateway.conftest import KEY, SECRET, SENDERS

MILEPOST = "import sys; from pipelines.cli import main; sys.exit(main())"
ENVIRONMENT = {"EASYPOST_SECRET": SECRET, "DELHIVERY_SECRET": SECRET, "SHOP_KEY": KEY, "SHOP_KEY_OLD": "the key before"}


class Process:
    """A gateway's process, as a context manager; it may be killed and started again where it was.

    Attributes:
        url: where it listens, the same after a restart.
    """

    def __init__(self, folder, publish, *words, more="", senders=SENDERS):
        """Take a folder for all of it, where it publishes to, further words, and what stands in its file."""
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.config.write_text(senders + more)
        self.log = folder / "gateway.log"
        self.words = ["gateway", "--publish", publish, "--config", str(self.config), *words]
        self.port = 0
        self.process = None

    @property
    def url(self):
        """Give where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Start it, and wait until it listens."""
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", MILEPOST, *self.words, "--port", str(self.port)],
                env=os.environ | ENVIRONMENT,
                stderr=log,
            )
        until = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < until:
            for line in self.log.read_bytes()[before:].splitlines():
                with suppress(ValueError):
                    said = json.loads(line)
                    if said["event"] == "started":
                        self.port = said["port"]
                        return self
            time.sleep(0.02)
        raise AssertionError(self.log.read_text())

    def end(self, how=signal.SIGTERM):
        """End it; give its exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def said(self):
        """Give the events that it has logged."""
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines()]

    def post(self, path, body, headers):
        """Send a body; give the status."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers), timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as fault:
            fault.close()
            return fault.code

    def __enter__(self):
        """Start it, and wait until it listens."""
        return self.start()

    def __exit__(self, *_):
        """Leave none behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
