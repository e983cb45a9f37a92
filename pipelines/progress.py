"""Progress of long work: a moving line on a terminal, plain lines now and then elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn


class Progress:
    """Shows that something is going on, and how far it is where that is known. Writes to stderr alone."""

    def __init__(self, title: str) -> None:
        """Name the work."""
        self.title = title
        self.console = Console(stderr=True)
        self.began = time.monotonic()
        self.said = 0.0
        self.bar: Bar | None = None

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

    def advance(self, done: int, unit: str) -> None:
        """Say how much is done; cheap enough to be called often."""
        now = time.monotonic()
        if now - self.said < (0.2 if self.bar else 10):
            return
        self.said = now
        if self.bar:
            self.bar.update(self.task, description=f"{self.title}: {done:,} {unit}")
        else:
            print(f"{self.title}: {done:,} {unit} after {now - self.began:.0f} s", file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        if self.bar:
            self.bar.stop()
        if kind is None:
            self.console.print(f"{self.title}: done in {time.monotonic() - self.began:.1f} s", style="dim")
