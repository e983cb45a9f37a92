"""Stage a bulk file: judge it, and lay its scans aside by partition until it is known to be good.

What is laid aside is in a folder of this night alone. Memory is bounded by a block of the file.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import Micros, midnight, to_batch
from schemas.profiles import Profile
from schemas.rejections import Rejected, rejection
from schemas.rows import HubFile
from schemas.tables import HUB_SCANS, REJECTIONS
from transforms.hubs.drop import File, left, profile_for
from transforms.hubs.normalise import Tally, judge, span_of

_WORD = pa.dictionary(pa.int32(), pa.string())
PIECE = pa.schema(
    [
        field.with_type(_WORD) if field.name in ("carrier", "code", "stage", "reason") else field
        for field in HUB_SCANS.row_schema
        if field.name != "source"
    ]
)
"""Columns of a piece; the file that it is of is not said again in each row."""

_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


_MOST_OPEN = 64
"""Files that are written side by side; where there are more partitions, each is several streams in one file."""


class Partition(NamedTuple):
    """A partition of scans: its day as text, and its carrier."""

    day: str
    carrier: str


class Staged(NamedTuple):
    """What became of one file.

    Attributes:
        file: its row.
        pieces: where its scans of each partition lie; none if it was quarantined.
        rejected: where its rejections lie; empty where there are none.
    """

    file: HubFile
    pieces: dict[Partition, str]
    rejected: str


def stage(file: File, profiles: Mapping[str, Profile], folder: Path) -> Staged:
    """Judge a file and lay aside what it holds.

    Args:
        file: which file.
        profiles: how carriers write their files.
        folder: where to lay aside; what is laid there has the name of the file's content.
    """
    tally = Tally()
    with _Pieces(folder / os.urandom(8).hex()) as pieces:
        try:
            profile = profile_for(file, profiles)
            span = span_of(file.day)
            for good, bad in judge(file.path, file.name, profile, tally, schema=PIECE, span=span):
                pieces.add(good)
                pieces.set_aside(bad)
            tally.check(profile)
        except Rejected as fault:
            pieces.forget()
            # Of a file that is refused whole no line is kept, for the file itself stays where it is.
            refused = rejection(fault, file.name.encode(), file.name, 0, left(file)[1])
            pieces.set_aside(to_batch([refused], REJECTIONS.row_schema))
            row = _row(file, tally, pieces, f"{fault.reason} {fault.detail}".strip())
        else:
            row = _row(file, tally, pieces, "")
    return Staged(row, pieces.paths, pieces.rejected)


def _row(file: File, tally: Tally, pieces: "_Pieces", why: str) -> HubFile:
    found = left(file)
    # The hash of other bytes than were read would let the file be taken for seen: it is read again.
    content = file.content if file.left in (None, found) else ""
    return HubFile(
        file.place,
        file.name,
        content,
        "quarantined" if why else "taken",
        why,
        tally.rows,
        tally.bad,
        pieces.scans,
        pieces.first,
        pieces.last,
        found[0],
        midnight(file.day),
        found[1],
    )


class _Pieces:
    """The files that are written side by side while one bulk file is read."""

    def __init__(self, stem: Path) -> None:
        self.stem = stem
        self.paths: dict[Partition, str] = {}
        self.rejected = ""
        self.scans = 0
        self.first: Micros | None = None
        self.last: Micros | None = None
        self.writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        self.open = ExitStack()

    def __enter__(self) -> "_Pieces":
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    def add(self, scans: pa.RecordBatch) -> None:
        """Write scans to the pieces of their partitions."""
        if not scans.num_rows:
            return
        first, last = (ts.value for ts in pc.min_max(scans["scan_ts"]).values())
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.scans += scans.num_rows
        days = scans["scan_ts"].cast(pa.date32())
        for day in pc.unique(days).to_pylist():
            of_day = scans.filter(pc.equal(days, day)) if pc.count_distinct(days).as_py() > 1 else scans
            carriers = of_day["carrier"].dictionary.to_pylist()
            for carrier in carriers:
                part = of_day.filter(pc.equal(of_day["carrier"], carrier)) if len(carriers) > 1 else of_day
                if part.num_rows:
                    self._write(Partition(day.isoformat(), carrier), part)

    def set_aside(self, bad: pa.RecordBatch) -> None:
        """Write rejections."""
        if bad.num_rows:
            self.rejected = self.rejected or f"{self.stem}.rejected"
            self._writer(self.rejected, bad.schema).write_batch(bad)

    def forget(self) -> None:
        """Let nothing of what was written count."""
        self.open.close()
        self.writers.clear()
        for path in filter(None, [*self.paths.values(), self.rejected]):
            os.unlink(path)
        self.paths, self.rejected = {}, ""
        self.scans, self.first, self.last = 0, None, None

    def _write(self, partition: Partition, scans: pa.RecordBatch) -> None:
        if partition not in self.paths:
            self.paths[partition] = f"{self.stem}.{len(self.paths)}"
        self._writer(self.paths[partition], PIECE).write_batch(scans)

    def _writer(self, path: str, schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
        if path not in self.writers:
            if len(self.writers) >= _MOST_OPEN:
                self.open.close()
                self.writers.clear()
            sink = self.open.enter_context(pa.OSFile(path, "ab"))
            self.writers[path] = self.open.enter_context(pa.ipc.new_stream(sink, schema, options=_OPTIONS))
        return self.writers[path]


def read_staged(path: str) -> pa.Table:
    """Read what was laid aside."""
    parts = []
    with pa.memory_map(path) as source:
        while source.tell() < source.size():
            with pa.ipc.open_stream(source) as reader:
                parts.append(reader.read_all())
    return pa.concat_tables(parts)
