"""Progress of long work: a moving line on a terminal, plain lines now and then elsewhere."""

import sys
import threading
import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

READ = Counter[str]()
"""What the sources of this process have read so far, in lines; workers in other processes count their own."""


class Progress:
    """Shows that something is going on, and how far it is where that is known. Writes to stderr alone."""

    def __init__(self, title: str, *, plain: bool = True) -> None:
        """Name the work; without `plain`, no line tells how far it is where there is no terminal."""
        self.title = title
        self.plain = plain
        self.console = Console(stderr=True)
        self.began = time.monotonic()
        self.said = 0.0
        self.bar: Bar | None = None
        self.ended = threading.Event()
        self.watcher: threading.Thread | None = None

    def __enter__(self) -> "Progress":
        """Begin."""
        if self.console.is_terminal:
            self.bar = Bar(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                console=self.console,
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task(self.title)
        else:
            print(f"{self.title} …", file=sys.stderr, flush=True)
        return self

    def watch(self) -> None:
        """Say now and then what the sources have read, until the work ends."""
        READ.clear()
        self.watcher = threading.Thread(target=self._poll, daemon=True)
        self.watcher.start()

    def _poll(self) -> None:
        while not self.ended.wait(0.5):
            if READ:
                self.advance(READ["lines"], "lines read")

    def advance(self, done: int, unit: str) -> None:
        """Say how much is done; cheap enough to be called often."""
        now = time.monotonic()
        if now - self.said < (0.2 if self.bar else 5):
            return
        self.said = now
        if self.bar:
            self.bar.update(self.task, description=f"{self.title}: {done:,} {unit}")
        elif self.plain:
            print(f"{self.title}: {done:,} {unit} after {now - self.began:.0f} s", file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.ended.set()
        if self.watcher:
            self.watcher.join()
        if self.bar:
            self.bar.stop()
        if kind is None:
            self.console.print(f"{self.title}: done in {time.monotonic() - self.began:.1f} s", style="dim")
