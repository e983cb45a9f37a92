"""The spool as a source: segments of JSON lines in a folder, read in order while they are written."""

import time
from pathlib import Path

from pipelines.errors import UsageError
from pipelines.sources.unbounded import BLOCK_BYTES, LineReader, LineSource, Mark, Patience, Piece, Position, Timing
from schemas.spool import Place, note_done, segment_path, segments
from schemas.spool_tail import SpoolTail

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
        self.tail = SpoolTail(source.folder)

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
        self.tail.close()

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
        if 0 not in self.positions:
            begin = self.tail.begin()
            if begin is None:
                return None
            self.positions[0] = _position(begin)
        place = Place(*self.positions[0])
        found = self.tail.read(place, BLOCK_BYTES)
        if not found.lines:
            self.positions[0] = _position(found.after)
            return None
        self.positions[0] = _position(found.before)
        source = str(segment_path(self.folder, found.before.segment))
        return Piece(0, source, found.before.line + 1, found.lines, _position(found.after))


def _position(place: Place) -> Position:
    return (place.segment, place.offset, place.line)
