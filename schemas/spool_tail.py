"""The reading end of a spool: whole lines, segment after segment, while they are written."""

from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from schemas.spool import Place, read_done, segment_path, segments


class Lines(NamedTuple):
    """Whole lines of one segment, without the last line's end, and the places before and after them."""

    before: Place
    lines: bytes
    after: Place


class SpoolTail:
    """Reads in a spool from whatever place it is told; it keeps nothing but the open segment."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not be there yet."""
        self.folder = folder
        self._file: Optional[BinaryIO] = None
        self._number = 0

    def begin(self) -> Optional[Place]:
        """Give the place before which all is done for good, else the beginning; None in a spool that is still empty.

        Raises:
            OSError: the folder cannot be looked into.
        """
        first = segments(self.folder)[:1]
        return read_done(self.folder) or (Place(first[0]) if first else None)

    def read(self, place: Place, size: int) -> Lines:
        """Give the whole lines at a place; none, and a place further on, where a segment has ended.

        Args:
            place: from where on.
            size: bytes that are read at a time; a line longer than that comes whole.

        Raises:
            OSError: the segment cannot be read.
        """
        while True:
            # Asked first: nothing is appended any more to a segment once there is a later one.
            later = self._later(place.segment)
            found = self._read_segment(place, size)
            if found.lines or later is None:
                return found
            place = Place(later)

    def close(self) -> None:
        """Close the segment; another read opens it anew."""
        if self._file:
            self._file.close()
            self._file = None

    def _later(self, number: int) -> Optional[int]:
        """Give the segment after one; None where there is none yet."""
        if segment_path(self.folder, number + 1).exists():
            return number + 1
        if segment_path(self.folder, number).exists():
            return None
        # What is done for good may have been deleted, though a mark is older.
        return next((one for one in segments(self.folder) if one > number), None)

    def _read_segment(self, place: Place, size: int) -> Lines:
        """Give the whole lines at a place; none where there are none, or where the segment is done and deleted."""
        if self._file is None or self._number != place.segment:
            self.close()
            try:
                self._file = segment_path(self.folder, place.segment).open("rb", buffering=0)
            except FileNotFoundError:
                return Lines(place, b"", place)
            self._number = place.segment
        while True:
            self._file.seek(place.offset)
            read = self._file.read(size) or b""
            whole, newline, _ = read.rpartition(b"\n")
            if newline:
                break
            if len(read) < size:
                return Lines(place, b"", place)
            # A line longer than what is read at a time is read as a whole.
            size *= 2
        after = Place(place.segment, place.offset + len(whole) + 1, place.line + whole.count(b"\n") + 1)
        return Lines(place, whole, after)
