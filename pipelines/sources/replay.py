"""Replay: a bounded source of files of JSON lines, and of what the lake knows of the same parcels."""

import codecs
import glob
import gzip
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import apache_beam as beam
import msgspec
from apache_beam import pvalue

from pipelines.errors import UsageError
from pipelines.progress import READ
from pipelines.sources.known import known_of
from schemas.fields import DAY, SECOND, Micros
from schemas.lines import KNOWN, LineBlock
from schemas.rejections import KEPT_BYTES
from schemas.tables import EVENTS, REJECTIONS
from transforms.publish.lake import Lake, connect

BLOCK = 4 * 1024 * 1024
"""Bytes of lines handed over as one element."""

_WAYBILL = re.compile(rb'"(?:tracking_number|successor)"\s*:\s*("(?:[^"\\]|\\.)*")')
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")


class Replay:
    """A bounded replay of files of JSON lines."""

    live = False
    grid = 30 * DAY

    def __init__(self, pattern: str, lake: str, as_of: Micros | None = None) -> None:
        """Take a file, a folder or a glob, the lake, and the horizon; default is the newest event's time.

        A replay begins without state. What the lake knows of the same parcels is replayed with it, so that a month
        replayed day by day ends where the month as a whole does.

        Raises:
            UsageError: there is nothing to read.
        """
        self.files = find_files(pattern)
        self.lake = lake
        self.as_of = as_of

    def read(self) -> beam.PTransform:
        """Give the transform that reads every file, block by block."""
        return ReadFiles(self.files, self.lake, self.as_of)

    def horizon(self, newest: beam.PCollection[Micros]) -> pvalue.AsSingleton:
        """Give the fixed horizon, or the newest event's time; never later than the wall clock."""
        if self.as_of is not None:
            return pvalue.AsSingleton(newest.pipeline | "AsOf" >> beam.Create([self.as_of]))
        return pvalue.AsSingleton(newest | "NewestEvent" >> beam.CombineGlobally(Newest(newest_known(self.lake))))


class Newest(beam.CombineFn):
    """The newest of some times, but not one that is still to come."""

    def __init__(self, known: Micros) -> None:
        """Take the newest that is known beforehand."""
        self.known = known

    def create_accumulator(self) -> int:
        """Start with what is known."""
        return self.known

    def add_input(self, accumulator: int, time: int) -> int:
        """Take one more."""
        return max(accumulator, time)

    def merge_accumulators(self, accumulators: Iterable[int]) -> int:
        """Take the newest of all."""
        return max(accumulators, default=self.known)

    def extract_output(self, accumulator: int) -> int:
        """Give it, no later than now."""
        return min(accumulator, int(time.time() * SECOND))


class ReadFiles(beam.PTransform):
    """Read files of JSON lines, and what the lake knows of the same parcels.

    Takes: the root of a pipeline.
    Gives: LineBlock, global window; each file in order, nothing twice.
    """

    def __init__(self, files: list[str], lake: str, as_of: Micros | None) -> None:
        """Take the paths, the lake, and the horizon if it is a fixed one."""
        super().__init__()
        self.files = files
        self.read = partial(read_place, files=files, lake=lake, as_of=as_of)

    def expand(self, root: beam.Pipeline) -> beam.PCollection[LineBlock]:
        """Wire the list of places and their reading: one branch, so that lines pass on without being gathered first."""
        return (
            root
            | "Places" >> beam.Create([*self.files, KNOWN], reshuffle=False)
            | "Lines" >> beam.FlatMap(self.read).with_output_types(LineBlock)
        )


def read_place(place: str, files: list[str], lake: str, as_of: Micros | None) -> Iterator[LineBlock]:
    """Give the lines of one file, or, for the place `KNOWN`, what the lake knows of the parcels in all files."""
    for block in read_known(files, lake, as_of) if place == KNOWN else read_blocks(place):
        READ["lines"] += block.lines.count(b"\n") + 1
        yield block


def newest_known(lake: str) -> Micros:
    """Give the time of the newest event that a lake has; 0 where it has none."""
    with connect() as db:
        ((newest,),) = db.execute(f"select epoch_us(max(event_ts)) from {Lake(lake).rows(EVENTS)}").fetchall()
    return newest or 0


def read_known(files: list[str], lake: str, as_of: Micros | None) -> Iterator[LineBlock]:
    """Give, as lines, what a lake knows of the parcels that these files may concern; nothing where it knows nothing."""
    held = Lake(lake)
    if held.delta(EVENTS) is None and held.delta(REJECTIONS) is None:
        return
    waybills = {found for name in files for block in read_blocks(name) for found in _WAYBILL.findall(block.lines)}
    yield from known_of(held, filter(None, map(_text, waybills)), as_of)


def _text(quoted: bytes) -> str | None:
    """Read a JSON string; None where it is none."""
    try:
        return msgspec.json.decode(quoted, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


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
        for chunk in _chunks(file):
            whole, newline, tail = (rest + chunk).rpartition(b"\n")
            if newline:
                yield LineBlock(name, number, whole, read_ts)
                number += whole.count(b"\n") + 1
            # Of a line without end no more is kept than of any rejected record.
            rest = tail[: KEPT_BYTES + 1]
    if rest:
        yield LineBlock(name, number, rest, read_ts)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """Give what a file holds, a block at a time; where its packing breaks off, a mark that becomes a rejection."""
    gathered = bytearray()
    first = True
    try:
        while piece := file.read1(BLOCK):  # type: ignore[attr-defined]
            gathered += piece.removeprefix(codecs.BOM_UTF8) if first else piece
            first = False
            if len(gathered) >= BLOCK:
                yield bytes(gathered)
                gathered.clear()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        gathered += b" (the packed file breaks off here)"
    if gathered:
        yield bytes(gathered)
