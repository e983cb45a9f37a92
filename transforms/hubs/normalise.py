"""Read a carrier's bulk file by its profile: columnar from block to block, bad rows set aside.

A file is taken whole or not at all: its header is checked at once, its trailer and its share of bad rows at its end.
Where memory must be bounded by a block, what was read waits in a temporary file until then.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import SECOND, Micros, to_batch
from schemas.profiles import Meaning, Place, Profile
from schemas.rejections import Rejected, rejection
from schemas.rows import Rejection
from schemas.tables import HUB_SCANS, REJECTIONS
from transforms.hubs.packing import MOST_BYTES, read_blocks
from transforms.hubs.rows_of_block import Header, read_header, read_rows
from transforms.hubs.scan_time import read_instants, read_local, to_utc
from transforms.ingest.validate import EARLIEST, LATEST_PROMISE

_CARRIER = r"^[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}$"
_NAIVE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+)?$"
_CONTROL = r"[\x00-\x1f\x7f]"
_BETWEEN = "\x1f"
_IPC = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)


@dataclass
class Tally:
    """What was counted while a file was read: its rows, those ignored, those bad, and how often each code occurred."""

    rows: int = 0
    ignored: int = 0
    bad: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def check(self, profile: Profile) -> None:
        """Make sure that no more rows are bad than the profile allows.

        Raises:
            Rejected: too many are.
        """
        few = self.bad <= profile.bad_rows and self.bad < self.rows
        if not few and self.bad > profile.bad_share * self.rows:
            raise Rejected("too_many_bad_rows", f"{self.bad} of {self.rows} rows")


def read_file(
    path: str, source: str, profile: Profile, *, schema: pa.Schema = HUB_SCANS.row_schema, most_bytes: int = MOST_BYTES
) -> tuple[pa.Table, pa.RecordBatch]:
    """Read one file into memory.

    Args:
        path: where the file is.
        source: how it is named in the lake.
        profile: how its carrier writes it.
        schema: the columns to give, of those of `HubScan` and `reason`.
        most_bytes: how much it may unpack to.

    Returns:
        The scans, and the rejections.

    Raises:
        Rejected: the file as a whole cannot be taken.
    """
    tally = Tally()
    parts = list(judge(path, source, profile, tally, schema=schema, most_bytes=most_bytes))
    tally.check(profile)
    rejected = pa.Table.from_batches([part[1] for part in parts], REJECTIONS.row_schema).combine_chunks().to_batches()
    scans = pa.Table.from_batches([part[0] for part in parts], schema)
    return scans, rejected[0] if rejected else to_batch([], REJECTIONS.row_schema)


def read_batches(
    path: str, source: str, profile: Profile, *, schema: pa.Schema = HUB_SCANS.row_schema, most_bytes: int = MOST_BYTES
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Read one file in memory bounded by a block: pairs of scans and rejections, once the whole file is judged.

    Takes what `read_file` takes. The file is read once; its rows wait in two temporary files.

    Raises:
        Rejected: the file as a whole cannot be taken; nothing of it was given then.
    """
    tally = Tally()
    with tempfile.TemporaryFile() as kept, tempfile.TemporaryFile() as set_aside:
        with _writer(kept, schema) as scans, _writer(set_aside, REJECTIONS.row_schema) as rejected:
            for good, bad in judge(path, source, profile, tally, schema=schema, most_bytes=most_bytes):
                scans.write_batch(good)
                rejected.write_batch(bad)
        tally.check(profile)
        kept.seek(0)
        set_aside.seek(0)
        with pa.ipc.open_stream(kept) as scans, pa.ipc.open_stream(set_aside) as rejected:
            yield from zip(scans, rejected, strict=True)


def _writer(file: IO[bytes], schema: pa.Schema) -> pa.ipc.RecordBatchStreamWriter:
    return pa.ipc.new_stream(file, schema, options=_IPC)


def judge(
    path: str,
    source: str,
    profile: Profile,
    tally: Tally,
    *,
    schema: pa.Schema = HUB_SCANS.row_schema,
    most_bytes: int = MOST_BYTES,
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Judge a file block by block, leaving the share of bad rows to `tally.check` when all is read.

    Raises:
        Rejected: the file's header or trailer is wrong, or it cannot be read; what was given before does not count.
    """
    now = int(time.time() * SECOND)
    judging = _Judging(profile, source, schema, now)
    header: Header | None = None
    for first, block, last in read_blocks(path, profile.compression, most_bytes):
        if header is None:
            header, block = read_header(block, profile)
            first = header.line + 1
        rows = read_rows(block, first, last, header, profile, tally.rows)
        tally.rows += len(rows.lines) + len(rows.malformed)
        good, bad = judging.block(rows.columns, rows.lines, rows.raw, tally)
        bad += [rejection(fault, raw, source, line, now) for fault, line, raw in rows.malformed]
        tally.bad += len(bad)
        yield good, to_batch(bad, REJECTIONS.row_schema)
    if header is None:
        raise Rejected("wrong_header", "the file is empty")


class _Judging:
    """What is kept from block to block: what each code means."""

    def __init__(self, profile: Profile, source: str, schema: pa.Schema, now: Micros) -> None:
        self.profile, self.source, self.schema, self.now = profile, source, schema, now
        self.known: dict[str, tuple[str, Meaning | None]] = {}

    def block(
        self, columns: dict[str, pa.Array], lines: pa.Array, raw: list[bytes] | bytes, tally: Tally
    ) -> tuple[pa.RecordBatch, list[Rejection]]:
        """Part the good rows of a block, in the table's own form, from the bad ones."""
        profile, names = self.profile, self.profile.columns
        size = len(lines)
        tracking, hub = columns[names.tracking_number], columns[names.hub]
        text = _join([columns[name] for name in names.scan_time], " ")
        codes = _join([columns[name] for name in names.code], _BETWEEN).dictionary_encode()
        meanings = [self._meaning(code) for code in codes.dictionary.to_pylist()]
        ignored = pa.array([found is not None and found.stage is None for _, found in meanings], pa.bool_())
        unknown = pa.array([found is None for _, found in meanings], pa.bool_())
        for index, count in zip(*_counts(codes.indices), strict=True):
            code, found = meanings[index]
            (tally.unknown if found is None else tally.codes)[code] += count
            tally.ignored += count if found is not None and found.stage is None else 0
        told = columns[profile.zone.column] if profile.zone.column is not None else None
        local = None if profile.zone.in_text else read_local(text, profile.formats)
        moment = read_instants(text) if local is None else to_utc(local, profile.zone, told, hub)
        values = {
            "tracking_number": tracking,
            "hub": hub,
            "carrier": columns[names.carrier] if names.carrier else pa.repeat(profile.name, size),
            "scan_ts": moment,
            "source": pa.repeat(self.source, size),
            "code": pc.take(pa.array([code for code, _ in meanings], pa.string()), codes.indices),
            "stage": pc.take(pa.array([found and found.stage for _, found in meanings], pa.string()), codes.indices),
            "reason": pc.take(pa.array([found and found.reason for _, found in meanings], pa.string()), codes.indices),
        }
        # A block that was read whole has no control characters.
        odd_bytes = not isinstance(raw, bytes)
        here = [tracking, text, values["code"], values["carrier"], *([hub] if profile.hub_required else [])]
        faults: list[tuple[str, pa.Array, pa.Array]] = [
            ("missing_field", _any([pc.equal(pc.binary_length(column), 0) for column in here]), text),
            ("invalid_value", _any([_odd(tracking, odd_bytes), _odd(hub, odd_bytes)]), tracking),
            *([("invalid_carrier", _strange(values["carrier"]), values["carrier"])] if names.carrier else []),
            ("unknown_code", pc.take(unknown, codes.indices), values["code"]),
            *([("naive_timestamp", pc.match_substring_regex(text, _NAIVE), text)] if local is None else []),
            ("invalid_timestamp", pc.is_null(moment), text),
            ("absurd_timestamp", pc.invert(pc.fill_null(_in_range(moment), True)), text),
        ]
        skip = pc.take(ignored, codes.indices)
        bad = pc.and_not(_any([mask for _, mask, _ in faults]), skip)
        good = pa.RecordBatch.from_arrays([values[name] for name in self.schema.names], self.schema.names)
        good = good.filter(pc.invert(pc.or_(bad, skip))).cast(self.schema)
        return good, self._rejections(bad, faults, lines, raw)

    def _meaning(self, joined: str) -> tuple[str, Meaning | None]:
        if joined not in self.known:
            if len(self.known) > 100_000:
                self.known.clear()
            place: Place = tuple(
                part.lstrip("0") or part if name in self.profile.unpadded else part
                for name, part in zip(self.profile.columns.code, joined.split(_BETWEEN), strict=False)
            )
            found = self.profile.meaning(place) if len(place) == len(self.profile.columns.code) else None
            self.known[joined] = "/".join(place).strip("/") and "/".join(place), found
        return self.known[joined]

    def _rejections(
        self, bad: pa.Array, faults: list[tuple[str, pa.Array, pa.Array]], lines: pa.Array, raw: list[bytes] | bytes
    ) -> list[Rejection]:
        if not bad.true_count:
            return []
        kept = raw.split(b"\n") if isinstance(raw, bytes) else raw
        start = lines[0].as_py()
        made = []
        for index in pc.indices_nonzero(bad).to_pylist():
            reason, _, column = next(fault for fault in faults if fault[1][index].as_py())
            detail = "" if reason == "missing_field" else (column[index].as_py() or "")[:200]
            line = lines[index].as_py()
            text = kept[line - start] if isinstance(raw, bytes) else kept[index]
            made.append(rejection(Rejected(reason, detail), text.rstrip(b"\r"), self.source, line, self.now))
        return made


def _join(columns: list[pa.Array], between: str) -> pa.Array:
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, between)


def _counts(indices: pa.Array) -> tuple[list[int], list[int]]:
    counted = pc.value_counts(indices)
    return counted.field("values").to_pylist(), counted.field("counts").to_pylist()


def _any(masks: list[pa.Array]) -> pa.Array:
    return reduce(pc.or_, masks)


def _odd(column: pa.Array, odd_bytes: bool) -> pa.Array:
    long = pc.greater(pc.utf8_length(column), 256)
    return pc.or_(long, pc.match_substring_regex(column, _CONTROL)) if odd_bytes else long


def _strange(column: pa.Array) -> pa.Array:
    plain = pc.match_substring_regex(column, _CARRIER)
    return pc.or_(pc.invert(plain), pc.match_substring(column, ".."))


def _in_range(moment: pa.Array) -> pa.Array:
    count = moment.cast(pa.int64())
    return pc.and_(pc.greater_equal(count, EARLIEST), pc.less_equal(count, LATEST_PROMISE))
