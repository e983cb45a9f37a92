"""Room: how much the spool may still take, by what is not done in it and by what the disk has left."""

import shutil
from contextlib import suppress
from pathlib import Path

from schemas.spool import Place, delete_done, read_done, segment_path, segments
from services.gateway.config import SpoolConfig


class Room:
    """The room of one spool: measured now and then, and reckoned in between."""

    def __init__(self, folder: Path, config: SpoolConfig) -> None:
        """Take the folder, which is there, and what it may take."""
        self.folder = folder
        self.config = config
        self.pending = 0
        self._free = 0
        self.measure()

    @property
    def full(self) -> bool:
        """Tell whether nothing more may be taken."""
        return self.pending >= self.config.bytes or self._free <= self.config.free

    def take(self, size: int) -> None:
        """Reckon with bytes that were just written."""
        self.pending += size
        self._free -= size

    def measure(self) -> None:
        """Delete what is done, and look how much is not and how much the disk has left."""
        delete_done(self.folder)
        self.pending = pending(self.folder)
        self._free = shutil.disk_usage(self.folder).free


def pending(folder: Path) -> int:
    """Give the bytes of a spool that are not done for good."""
    done = read_done(folder) or Place(0)
    size = 0
    for number in segments(folder):
        # Whoever reads the spool may delete what is done.
        with suppress(FileNotFoundError):
            written = segment_path(folder, number).stat().st_size
            size += written if number > done.segment else max(0, written - done.offset) * (number == done.segment)
    return size
