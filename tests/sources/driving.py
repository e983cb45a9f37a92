"""A reader driven as an engine would, without one."""

import time

from schemas.coders import StructCoder
from schemas.lines import LineBlock

CODER = StructCoder(LineBlock)
OPEN = []
"""Readers that are still to be closed."""


class Driver:
    """Reads a source from mark to mark; keeps what was handed over, and can lose the reader."""

    def __init__(self, source):
        self.source = source
        self.coder = source.get_checkpoint_mark_coder()
        self.kept = None
        self._open(None)
        self.lines = []
        self.ticks = 0
        self.watermark = None

    def step(self):
        """Take one block; tell whether there was one."""
        there = self.reader.advance() if self.started else self.reader.start()
        self.started = True
        if there:
            block = CODER.decode(CODER.encode(self.reader.get_current()))
            if self.watermark is not None:
                assert self.reader.get_current_timestamp() >= self.watermark
            self.ticks += not block.lines
            self.lines += [line for line in block.lines.split(b"\n") if line]
        watermark = self.reader.get_watermark()
        assert self.watermark is None or watermark >= self.watermark
        self.watermark = watermark
        return there

    def read(self, count, patience=20):
        """Read until that many lines were handed over in all."""
        until = time.monotonic() + patience
        while len(self.lines) < count:
            assert time.monotonic() < until, f"{len(self.lines)} of {count} lines came"
            self.step()

    def settle(self, count, seconds=1.5):
        """Read until that many lines were handed over in all, and then nothing came for a while."""
        self.read(count)
        quiet = time.monotonic()
        while time.monotonic() - quiet < seconds:
            if self.step() and self.reader.get_current().lines:
                quiet = time.monotonic()

    def drain(self):
        """Read until there is nothing."""
        while self.step():
            pass

    def checkpoint(self, anew=True):
        """Keep a mark as the engine does; go on with a reader made from it, unless it is to be the same."""
        mark = self.reader.get_checkpoint_mark()
        self.kept = self.coder.encode(mark)
        if anew:
            self.reader.close()
            self._open(self.coder.decode(self.kept))
        return mark

    def crash(self):
        """Lose the reader; go on from the mark that was kept last."""
        mark = None if self.kept is None else self.coder.decode(self.kept)
        self.reader.close()
        self._open(mark)
        self.watermark = None

    def _open(self, mark):
        self.reader = self.source.create_reader(None, mark)
        self.started = False
        OPEN.append(self.reader)
