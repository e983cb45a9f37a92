"""Read a carrier's bulk file by its profile: columnar from block to block, bad rows set aside.

A file is taken whole or not at all: its header is checked at once, its trailer and its share of bad rows at its end.
Until then what was read of it does not count.
"""

import datetime
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from schemas.fields import DAY, SECOND, Micros, midnight, to_batch
from schemas.profiles import Meaning, Place, Profile
from schemas.rejections import Rejected, rejection
from schemas.rows import Rejection
from schemas.tables import HUB_SCANS, REJECTIONS
from transforms.hubs.packing import MOST_BYTES, read_blocks
from transforms.hubs.rows_of_block import Header, read_header, read_rows
from transforms.hubs.scan_time import read_instants, read_local, to_utc
from transforms.ingest.validate import EARLIEST

_CARRIER = r"^[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}$"
_NAIVE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]+)?$"
_CONTROL = r"[\x00-\x1f\x7f]"
_BETWEEN = "\x1f"

Span = tuple[Micros, Micros]
"""The times between which a scan may lie: from the first up to, but not including, the second."""


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


def span_of(day: datetime.date) -> Span:
    """Give the times that scans of a service day may have: up to a year late, and to the day's end in any zone.

    >>> [ts // DAY for ts in span_of(datetime.date(1971, 1, 1))]
    [0, 367]
    """
    begin = midnight(day)
    return begin - 365 * DAY, begin + 2 * DAY


def read_file(
    path: str, source: str, profile: Profile, *, schema: pa.Schema = HUB_SCANS.row_schema, most_bytes: int = MOST_BYTES
) -> tuple[pa.Table, pa.RecordBatch]:
    """Read one file into memory.

    Args:
        path: where the file is.
        source: how it is named in the lake.
        profile: how its carrier writes it.
        schema: the columns to give, of those of `HubScan`; text may be dictionary-encoded.
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


def judge(
    path: str,
    source: str,
    profile: Profile,
    tally: Tally,
    *,
    schema: pa.Schema = HUB_SCANS.row_schema,
    span: Span | None = None,
    most_bytes: int = MOST_BYTES,
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Judge a file block by block, leaving the share of bad rows to `tally.check` when all is read.

    Takes what `read_file` takes, a tally to count in, and the times that scans may have; default: up to a day from now.

    Raises:
        Rejected: the file's header or trailer is wrong, or it cannot be read; what was given before does not count.
    """
    now = int(time.time() * SECOND)
    judging = _Judging(profile, source, schema, span or (EARLIEST, now + DAY), now)
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

    def __init__(self, profile: Profile, source: str, schema: pa.Schema, span: Span, now: Micros) -> None:
        self.profile, self.source, self.schema, self.span, self.now = profile, source, schema, span, now
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
            "carrier": columns[names.carrier] if names.carrier else _all_alike(profile.name, size),
            "scan_ts": moment,
            "source": _all_alike(self.source, size),
            "code": _coded(codes.indices, [code for code, _ in meanings]),
            "stage": _coded(codes.indices, [found and found.stage for _, found in meanings]),
            "reason": _coded(codes.indices, [found and found.reason for _, found in meanings]),
        }
        # A block that was read whole has no control characters.
        odd_bytes = not isinstance(raw, bytes)
        here = [
            tracking,
            text,
            *([columns[names.carrier]] if names.carrier else []),
            *([hub] if profile.hub_required else []),
        ]
        codeless = pc.take(pa.array([not code for code, _ in meanings], pa.bool_()), codes.indices)
        absurd, future = (pc.fill_null(mask, False) for mask in _outside(moment, self.span))
        faults: list[tuple[str, pa.Array, pa.Array]] = [
            ("missing_field", _any([codeless, *(pc.equal(pc.binary_length(column), 0) for column in here)]), text),
            ("invalid_value", _any([_odd(tracking, odd_bytes), _odd(hub, odd_bytes)]), tracking),
            *([("invalid_carrier", _strange(values["carrier"]), values["carrier"])] if names.carrier else []),
            ("unknown_code", pc.take(unknown, codes.indices), values["code"]),
            *([("naive_timestamp", pc.match_substring_regex(text, _NAIVE), text)] if local is None else []),
            ("invalid_timestamp", pc.is_null(moment), text),
            ("absurd_timestamp", absurd, text),
            ("future_timestamp", future, text),
        ]
        skip = pc.take(ignored, codes.indices)
        bad = pc.and_not(_any([mask for _, mask, _ in faults]), skip)
        taken = pc.invert(pc.or_(bad, skip))
        arrays = [values[name].filter(taken).cast(self.schema.field(name).type) for name in self.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), self._rejections(bad, faults, lines, raw)

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


def _outside(moment: pa.Array, span: Span) -> tuple[pa.Array, pa.Array]:
    count = moment.cast(pa.int64())
    return pc.less(count, span[0]), pc.greater_equal(count, span[1])


def _coded(indices: pa.Array, names: list[str | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _all_alike(name: str, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), size), pa.array([name], pa.string()))
