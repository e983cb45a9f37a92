"""Sources: where events come from, what the horizon is, and how finely time must be watched.

The graph never asks whether its input ends. Each kind of source answers for itself: how to read blocks of lines, up to
which time the world is known, and on which grid timers may lie.
"""

import glob
import gzip
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import apache_beam as beam
from apache_beam import pvalue

from pipelines.errors import UsageError
from schemas.fields import DAY, SECOND, Micros
from schemas.lines import LineBlock
from schemas.rejections import KEPT_BYTES

BLOCK = 4 * 1024 * 1024
"""Bytes of lines handed over as one element."""

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


class Source(Protocol):
    """Where events come from."""

    as_of: Micros | None
    """The horizon where it is fixed beforehand."""
    grid: Micros
    """Grid of the timers, in microseconds: fine when live, coarse in a replay. Results never depend on it."""

    def read(self) -> beam.PTransform:
        """Give the transform that reads blocks of lines."""

    def horizon(self, newest: beam.PCollection[Micros]) -> pvalue.AsSingleton:
        """Give the time up to which the world is known; `newest` has the newest event time of each block."""


class Replay:
    """A bounded replay of files of JSON lines."""

    grid = 30 * DAY

    def __init__(self, pattern: str, as_of: Micros | None = None) -> None:
        """Take a file, a folder or a glob, and the horizon; default is the newest event's time.

        Raises:
            UsageError: there is nothing to read.
        """
        self.files = find_files(pattern)
        self.as_of = as_of

    def read(self) -> beam.PTransform:
        """Give the transform that reads every file, block by block."""
        return ReadFiles(self.files)

    def horizon(self, newest: beam.PCollection[Micros]) -> pvalue.AsSingleton:
        """Give the fixed horizon, or the newest event's time; never later than the wall clock."""
        if self.as_of is not None:
            return pvalue.AsSingleton(newest.pipeline | "AsOf" >> beam.Create([self.as_of]))
        return pvalue.AsSingleton(newest | "NewestEvent" >> beam.CombineGlobally(newest_by_now))


class ReadFiles(beam.PTransform):
    """Read files of JSON lines.

    Takes: the root of a pipeline.
    Gives: LineBlock, global window; each file in order, nothing twice.
    """

    def __init__(self, files: list[str]) -> None:
        """Take the paths."""
        super().__init__()
        self.files = files

    def expand(self, root: beam.Pipeline) -> beam.PCollection[LineBlock]:
        """Wire the list of files and the reading."""
        return (
            root
            | "Files" >> beam.Create(self.files)
            | "Lines" >> beam.FlatMap(read_blocks).with_output_types(LineBlock)
        )


def newest_by_now(times: Iterable[int]) -> int:
    """Give the newest of some times, but not one that is still to come."""
    return min(max(times, default=0), int(time.time() * SECOND))


def find_files(pattern: str) -> list[str]:
    """Give the files of a path: itself, the event files in a folder, or what a glob matches; in order of name.

    Raises:
        UsageError: there is nothing there, or it cannot be read.
    """
    path = Path(pattern)
    if path.is_dir():
        found = sorted(str(p) for p in path.iterdir() if p.name.endswith(_SUFFIXES) and p.is_file())
        if not found:
            raise UsageError(f"The folder {pattern} has no event files ({', '.join(_SUFFIXES[:3])}, also .gz).")
    elif path.exists():
        found = [pattern]
    else:
        found = sorted(p for p in glob.glob(pattern, recursive=True) if Path(p).is_file())
        if not found:
            raise UsageError(f"There is nothing to read at {pattern}.")
    for name in found:
        try:
            with open_lines(name):
                pass
        except OSError as fault:
            raise UsageError(f"The file {name} cannot be read: {fault.strerror or fault}.") from fault
    return found


def open_lines(name: str) -> BinaryIO:
    """Open a file for reading, unpacked if it is gzip by name."""
    return gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb")  # type: ignore[return-value]


def read_blocks(name: str) -> Iterator[LineBlock]:
    """Give a file as blocks of whole lines. A gzip file that breaks off gives what could be unpacked of it."""
    number, rest, read_ts = 1, b"", int(time.time() * SECOND)
    with open_lines(name) as file:
        while True:
            try:
                chunk = file.read(BLOCK)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                # What is left becomes a rejection that tells where the file broke off.
                chunk, rest = b"", rest + b" (the packed file breaks off here)"
            if not chunk:
                break
            whole, newline, tail = (rest + chunk).rpartition(b"\n")
            if newline:
                yield LineBlock(name, number, whole, read_ts)
                number += whole.count(b"\n") + 1
            rest = tail
            if len(rest) > KEPT_BYTES:
                rest = rest[: KEPT_BYTES + 1]
    if rest:
        yield LineBlock(name, number, rest, read_ts)
