"""The spool as a source: segments of JSON lines in a folder, read in order while they are written."""

import time
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import UsageError
from pipelines.sources.unbounded import BLOCK_BYTES, LineReader, LineSource, Mark, Patience, Piece, Position, Timing
from schemas.spool import Place, note_done, read_done, segment_path, segments

LOOK = 0.01
"""Seconds between two looks at a segment that has nothing new."""


class SpoolSource(LineSource):
    """The lines of a spool. One reader: lines stay in order. Its position is that of a `Place`."""

    def __init__(self, folder: str, timing: Timing) -> None:
        """Take the folder, and how it tells the time."""
        self.name = f"spool://{folder}"
        self.folder = Path(folder)
        self.timing = timing

    def check(self) -> None:
        """Make the folder if it is not there: what writes to it may start later.

        Raises:
            UsageError: it is no folder, or cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            segments(self.folder)
        except OSError as fault:
            raise UsageError(f"The spool {self.folder} cannot be used: {fault.strerror or fault}.") from fault

    def create_reader(self, options: object, checkpoint_mark: Mark | None) -> "SpoolReader":
        """Give a reader that goes on after a mark, or where all before is done for good, or at the beginning."""
        return SpoolReader(self, checkpoint_mark)

    def finish(self, positions: dict[int, Position]) -> None:
        """Note it, so that the segments before may be deleted."""
        if 0 in positions:
            note_done(self.folder, Place(*positions[0]))


class SpoolReader(LineReader):
    """Reads segment after segment; opened cheaply, since it is often made anew."""

    def __init__(self, source: SpoolSource, mark: Mark | None) -> None:
        """Go on after a mark, or begin."""
        super().__init__(source, mark)
        self.folder = source.folder
        self.patience = Patience(source.name)
        self.watermarks.add(0)
        self.file: BinaryIO | None = None
        self.number = 0

    def fetch(self, patience: float) -> list[Piece]:
        """Give the next whole lines of the segment, or of the one after it."""
        until = time.monotonic() + patience
        while True:
            piece = self._next()
            if piece:
                return [piece]
            if time.monotonic() >= until:
                return []
            time.sleep(LOOK)

    def at_end(self, partition: int) -> bool:
        """Look once more whether there is anything."""
        self.pending.extend(filter(None, [self._next()]))
        return not self.pending and self.patience.failed is None

    def close(self) -> None:
        """Close the segment."""
        if self.file:
            self.file.close()
            self.file = None

    def _next(self) -> Piece | None:
        if not self.patience.ready():
            return None
        try:
            piece = self._read()
        except OSError as fault:
            self.close()
            self.patience.fail(fault)
            return None
        self.patience.succeed()
        return piece

    def _read(self) -> Piece | None:
        """Read on from the position; where a segment has no more and never will, from the next one."""
        place = self._place()
        if place is None:
            return None
        while True:
            # Asked first: nothing is appended any more to a segment once there is a later one.
            later = self._later(place.segment)
            piece = self._read_segment(place)
            if piece or later is None:
                return piece
            place = Place(later)
            self.positions[0] = (place.segment, 0, 0)

    def _later(self, number: int) -> int | None:
        """Give the segment after one; None where there is none yet."""
        if segment_path(self.folder, number + 1).exists():
            return number + 1
        if segment_path(self.folder, number).exists():
            return None
        # What is done for good may have been deleted, though a mark is older.
        return next((one for one in segments(self.folder) if one > number), None)

    def _place(self) -> Place | None:
        """Give where to read on; None in a spool that is still empty."""
        if 0 in self.positions:
            return Place(*self.positions[0])
        done = read_done(self.folder)
        if done is None:
            first = segments(self.folder)[:1]
            if not first:
                return None
            done = Place(first[0])
        self.positions[0] = (done.segment, done.offset, done.line)
        return done

    def _read_segment(self, place: Place) -> Piece | None:
        """Give the whole lines at a place; None where there are none, or where the segment is done and deleted."""
        if self.file is None or self.number != place.segment:
            self.close()
            try:
                self.file = segment_path(self.folder, place.segment).open("rb", buffering=0)
            except FileNotFoundError:
                return None
            self.number = place.segment
        self.file.seek(place.offset)
        size = BLOCK_BYTES
        while True:
            read = self.file.read(size) or b""
            whole, newline, _ = read.rpartition(b"\n")
            if newline:
                break
            if len(read) < size:
                return None
            # A line longer than a block is read as a whole.
            size *= 2
            self.file.seek(place.offset)
        after = (place.segment, place.offset + len(whole) + 1, place.line + whole.count(b"\n") + 1)
        return Piece(0, str(segment_path(self.folder, place.segment)), place.line + 1, whole, after)
