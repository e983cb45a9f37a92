"""A file for trials: one JSON object a line. It is its own receiver, and takes a message that comes again only once."""

import fcntl
import json
import os
from pathlib import Path

from services.relay.channels.channel import SENT, Message, Outcome, Went


class File:
    """Appends lines, each on the disk before it counts as sent; several relays may share a file."""

    def __init__(self, path: str | Path) -> None:
        """Take the file; made if it is not there."""
        self.path = Path(path)
        self.repeated = 0
        """Messages that came again and were not written."""
        self._keys: set[str] = set()
        self._read = 0

    def send(self, message: Message) -> Outcome:
        """Append one message, unless it is there."""
        try:
            with self.path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                whole = self._catch_up(file.fileno())
                if message.key in self._keys:
                    self.repeated += 1
                    return SENT
                line = json.dumps({"key": message.key, **message.payload}, ensure_ascii=False).encode()
                # A line that was cut off must not spoil this one.
                file.write((b"" if whole else b"\n") + line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as fault:
            return Outcome(Went.REFUSED, f"the file cannot be written ({type(fault).__name__})")
        return SENT

    def close(self) -> None:
        """Hold nothing."""

    def _catch_up(self, file: int) -> bool:
        """Read the keys that others wrote since; tell whether the file ends with a whole line."""
        size = os.fstat(file).st_size
        fresh = os.pread(file, size - self._read, self._read)
        end = fresh.rfind(b"\n") + 1
        for line in fresh[:end].splitlines():
            try:
                self._keys.add(json.loads(line)["key"])
            except (ValueError, KeyError, TypeError):
                continue
        self._read += end
        return end == len(fresh)
