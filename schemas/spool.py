"""The spool: events on their way, as segments of JSON lines in a folder; a queue that needs no server.

    DIR/0000000000000001.jsonl      segments, numbered without a gap from 1; each is only ever appended to
    DIR/writer.lock                 held by the one process that writes
    DIR/done.json                   up to where everything is done for good

A line counts once its newline is there. What a crash left behind its segment's last newline never counts: a writer that
starts again, or that failed to write, begins a new segment. Nothing is ever appended to a segment once a later one is
there.
"""

import fcntl
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Optional

import msgspec
from msgspec import Struct

SUFFIX = ".jsonl"
SEGMENT_BYTES = 64 * 1024 * 1024
"""Size from which on a writer begins a new segment."""


class SpoolError(RuntimeError):
    """A spool that cannot be written; its text is one clear sentence."""


class Place(Struct, frozen=True, order=True):
    """A place between two lines: the number of the segment, bytes and lines before it there."""

    segment: int
    offset: int = 0
    line: int = 0


def segment_path(folder: Path, number: int) -> Path:
    """Give where a segment lies.

    >>> segment_path(Path("spool"), 7).name
    '0000000000000007.jsonl'
    """
    return folder / f"{number:016d}{SUFFIX}"


def segments(folder: Path) -> list[int]:
    """Give the numbers of the segments that are there, in order; none where there is no spool.

    Raises:
        OSError: the folder cannot be looked into.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    numbers = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
    return sorted(int(number) for number in numbers if number.isdecimal())


def read_done(folder: Path) -> Optional[Place]:
    """Give the place before which everything is done for good; None where that was never noted."""
    try:
        return msgspec.json.decode((folder / "done.json").read_bytes(), type=Place)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def note_done(folder: Path, place: Place) -> None:
    """Note that everything before a place is done for good; it never goes back.

    Raises:
        OSError: it cannot be noted.
    """
    known = read_done(folder)
    if known is None or known < place:
        draft = folder / f"done.{os.getpid()}.{threading.get_ident()}.tmp"
        draft.write_bytes(msgspec.json.encode(place))
        draft.replace(folder / "done.json")


def delete_done(folder: Path) -> int:
    """Delete the segments that are done for good, but never the last one; give how many."""
    done = read_done(folder)
    over = [number for number in segments(folder)[:-1] if done and number < done.segment]
    for number in over:
        segment_path(folder, number).unlink(missing_ok=True)
    return len(over)


class SpoolWriter:
    """Appends to a spool, as a context manager. One process writes at a time; its threads may share a writer."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        """Take the folder, which is made if it is not there, and the size from which on a new segment begins.

        Raises:
            SpoolError: another process writes there.
        """
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._segment: Optional[int] = None
        self._size = 0
        self._number = 0
        self._lock = os.open(folder / "writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            os.close(self._lock)
            raise SpoolError(f"Another process writes to the spool {folder}.") from fault

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines as one group; when this returns, the disk has them.

        Raises:
            ValueError: a line has a line end within it.
            OSError: not all could be written; some of the lines may nevertheless be there.
        """
        group = list(lines)
        if any(b"\n" in line for line in group):
            raise ValueError("a line of a spool has no line end within it")
        if group:
            with self._guard:
                self._write(b"\n".join(group) + b"\n")

    def _write(self, group: bytes) -> None:
        if self._segment is None or self._size >= self.segment_bytes:
            self._begin()
        assert self._segment is not None
        try:
            rest = memoryview(group)
            while rest:
                rest = rest[os.write(self._segment, rest) :]
            os.fdatasync(self._segment)
        except OSError:
            # Whatever stands at the end now must not become a part of another line.
            self._end()
            raise
        self._size += len(group)

    def _begin(self) -> None:
        self._end()
        last = max([self._number, *segments(self.folder)[-1:], getattr(read_done(self.folder), "segment", 0)])
        path = segment_path(self.folder, last + 1)
        self._segment = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._number, self._size = last + 1, 0
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _end(self) -> None:
        if self._segment is not None:
            with suppress(OSError):
                os.close(self._segment)
            self._segment = None

    def close(self) -> None:
        """End; the spool may then be written by another process."""
        with self._guard:
            self._end()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def __enter__(self) -> "SpoolWriter":
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self.close()
