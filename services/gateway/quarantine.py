"""The quarantine: bodies that were proved but could not be taken, or not wholly, kept until an adapter can.

    DIR/<sender>/<digest>.body       one line of JSON that says why, then the body as it was
    DIR/<sender>/<digest>.replayed   the same, once `milepost replay` has published all that it tells

A body holds what its carrier knows of a consignee: names, places, sometimes a signature. So the files are for their
owner's eyes alone (0600 in folders of 0700), there are only so many of them, and they are deleted when they are old.
Nothing that was not proved is ever kept: else anybody could fill the disk.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from schemas.fields import SECOND, Micros
from services.gateway.config import QuarantineConfig
from services.gateway.repeats import digest

WAITING = ".body"
REPLAYED = ".replayed"


class Why(Struct, frozen=True):
    """What is known of a kept body."""

    sender: str
    reason: str
    received_ts: Micros


class Kept(NamedTuple):
    """A kept body."""

    path: Path
    why: Why
    body: bytes


class Quarantine:
    """The bodies of all senders in one folder, each sender's capped by itself: none can displace another's."""

    def __init__(self, folder: Path, config: QuarantineConfig) -> None:
        """Take the folder, which need not be there yet, and its limits."""
        self.folder = folder
        self.config = config
        self._guard = threading.Lock()
        self._used: dict[str, tuple[int, int]] = {}

    def keep(self, sender: str, body: bytes, received_ts: Micros, reason: str) -> bool:
        """Keep a body, once however often it comes; when this returns True, the disk has it. False: there is no room.

        Args:
            sender: who proved to have sent it.
            body: as the sender's adapter saw it.
            received_ts: when it came.
            reason: why it is kept, without any value of the body.

        Raises:
            OSError: it cannot be written.
        """
        folder = self.folder / sender
        path = folder / f"{digest(sender, body).hex()}{WAITING}"
        with self._guard:
            if path.exists():
                return True
            bodies, size = self._used.get(sender) or self._measure(sender)
            if bodies >= self.config.bodies or size + len(body) > self.config.bytes:
                return False
            self._write(path, msgspec.json.encode(Why(sender, reason, received_ts)) + b"\n" + body)
            self._used[sender] = (bodies + 1, size + len(body))
        return True

    def kept(self, sender: str = "") -> Iterator[Kept]:
        """Give what waits, of one sender or of all, oldest first."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob(f"{sender or '*'}/*{WAITING}")]
        for _, path in sorted(found):
            head, _, body = path.read_bytes().partition(b"\n")
            yield Kept(path, msgspec.json.decode(head, type=Why), body)

    @staticmethod
    def replayed(kept: Kept) -> None:
        """Note that all a body tells was published."""
        kept.path.replace(kept.path.with_suffix(REPLAYED))

    def clean(self, now: Micros) -> None:
        """Delete what is old, and look anew how much there is: a replay may have taken some away."""
        oldest = (now - self.config.keep) / SECOND
        for path in self.folder.glob("*/*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
        for sender in list(self._used):
            self._measure(sender)

    @staticmethod
    def _write(path: Path, whole: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".tmp")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(whole)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _measure(self, sender: str) -> tuple[int, int]:
        sizes = []
        for path in (self.folder / sender).glob("*"):
            with suppress(FileNotFoundError):
                sizes.append(path.stat().st_size)
        self._used[sender] = (len(sizes), sum(sizes))
        return self._used[sender]
