"""Parcels in motion: a steady stream of events of ever new parcels, and the live run that takes them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from schemas.fields import to_text
from scripts import servers

STAGES = (
    "picked", "packed", "labeled", "carrier_scanned", "in_transit", "out_for_delivery", "available_for_pickup",
    "delivered",
)  # fmt: skip
"""Of each parcel, in order."""

RUN = Path(__file__).parents[1] / "flink" / "run"
"""What starts it for its users."""
TICK = 0.05
"""Seconds between two batches of lines, as a gateway commits them."""
STEP = 1.0
"""Seconds between two stages of a parcel."""
RAMP = STEP * (len(STAGES) - 1)
"""Seconds until there are parcels at every stage."""


class Motion:
    """Publishes so many events a second, in batches; of each parcel one stage after the other.

    Attributes:
        published: events so far, once all stages are there.
        times: by stage and parcel's number, when its event was published since then, in microseconds.
        behind: by how many seconds it fell behind at most.
    """

    def __init__(self, rate: int, publish: Callable[[list[bytes]], None], named: str) -> None:
        """Take events a second, what takes their lines, and what parcels' names begin with."""
        self.rate = rate
        self.publish = publish
        self.named = named
        self.published = 0
        self.behind = 0.0
        self.times: dict[tuple[str, int], int] = {}

    def run(self, seconds: float) -> None:
        """Publish for so long, after parcels have come to be at every stage."""
        began = time.monotonic()
        born: list[int] = []
        wait = round(STEP / TICK)
        for tick in range(round((RAMP + seconds) / TICK)):
            pause = began + tick * TICK - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            self.behind = max(self.behind, -pause)
            born.append(int(self.rate * TICK * (tick + 1) / len(STAGES)))
            self._publish(born, wait)

    def _publish(self, born: list[int], wait: int) -> None:
        now = time.time_ns() // 1000
        at = to_text(now)
        lines = []
        for number, stage in enumerate(STAGES):
            tick = len(born) - 1 - number * wait
            if tick < 0:
                break
            for parcel in range(born[tick - 1] if tick else 0, born[tick]):
                lines.append(
                    f'{{"event_id":"{self.named}{parcel}-{number}","order_id":"{self.named}{parcel}","customer_id":"c",'
                    f'"stage":"{stage}","warehouse_id":"WH-1","carrier":"post","tracking_number":"{self.named}{parcel}",'
                    f'"promised_delivery_ts":"2030-01-01T00:00:00Z","event_ts":"{at}"}}'.encode()
                )
                self.times[stage, parcel] = now
        self.publish(lines)
        if len(born) > wait * (len(STAGES) - 1):
            self.published += len(lines)
        else:
            self.times.clear()


class FollowedRun:
    """`milepost live` on an embedded Flink, as a context manager."""

    def __init__(self, folder: Path, spool: Path, dsn: str, *options: str) -> None:
        """Take where its lake and log go, what it reads, and where it tells it."""
        self.folder = folder
        self.lake = folder / "lake"
        self.command = [
            str(RUN), "live", "--input", f"spool://{spool}",
            "--lake", str(self.lake), "--postgres", dsn, *options,
        ]  # fmt: skip

    def __enter__(self) -> "FollowedRun":
        """Start it."""
        self.process = servers.start(self.command, self.folder / "live.log")
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        servers.end(self.process, signal.SIGTERM)

    def until(self, met: Callable[[], bool], patience: float) -> None:
        """Wait until something is so.

        Raises:
            RuntimeError: the run ended, or it took too long.
        """
        end = time.monotonic() + patience
        while not met():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(servers.said(self.folder / "live.log")[-1])
            time.sleep(0.2)

    def state_mib(self) -> float:
        """Give the size of its newest whole checkpoint."""
        whole = sorted((self.lake / "checkpoints").glob("*/chk-*/_metadata"), key=_written)
        if not whole:
            return 0.0
        try:
            return sum(path.stat().st_size for path in whole[-1].parent.iterdir()) / 2**20
        except FileNotFoundError:
            # A newer one has just taken its place.
            return self.state_mib()

    def rss_mib(self) -> tuple[float, float]:
        """Give the memory that its worker and its Flink hold."""
        group = str(os.getpgid(self.process.pid))
        told = subprocess.run(["ps", "-o", "comm=,rss=", "-g", group], capture_output=True, text=True, check=True)
        held = {"java": 0.0, "python": 0.0}
        for line in told.stdout.splitlines():
            name, rss = line.rsplit(None, 1)
            held["java" if name.startswith("java") else "python"] += int(rss) / 1024
        return held["python"], held["java"]


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
