"""Split blocks of lines into columns: vectorised where a block is clean, line by line where something is odd.

A row is a line: a quoted field never reaches over a line's end, so that a stray quote costs one row and not many.
"""

import csv
import re
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from schemas.profiles import Profile
from schemas.rejections import Rejected

_CONTROL = bytes(code for code in range(32) if code != 10) + b"\x7f"
_MARK = b"\xef\xbb\xbf"

Malformed = tuple[Rejected, int, bytes]
"""Why a line is no row, its number, and the line."""


class Header(NamedTuple):
    """The first line: its columns' names, and the number of its line."""

    names: list[str]
    line: int


@dataclass
class Rows:
    """The rows of a block: the columns asked for, the lines' numbers, and the raw lines, split or whole."""

    columns: dict[str, pa.Array]
    lines: pa.Array
    raw: list[bytes] | bytes
    malformed: list[Malformed]


def read_header(block: bytes, profile: Profile) -> tuple[Header, bytes]:
    """Read the header off a file's first block; give what follows it.

    Raises:
        Rejected: a column that the profile reads is missing, or there twice.
    """
    block = block.removeprefix(_MARK) if profile.encoding.startswith("utf-8") else block
    lead = len(block) - len(block.lstrip(b"\r\n"))
    line, end, rest = block[lead:].partition(b"\n")
    names = _fields(line.rstrip(b"\r"), profile)
    if names is None:
        raise Rejected("wrong_header", "the header is no line of text in the encoding of its carrier")
    for name in profile.required():
        if names.count(name) != 1:
            missing = "has twice" if name in names else "lacks"
            raise Rejected(
                "wrong_header", f"the header {missing} the column {name}: {profile.delimiter.join(names)[:200]}"
            )
    if not end and profile.ended:
        raise Rejected("cut_off", "the header has no end")
    return Header(names, block[:lead].count(b"\n") + 1), rest


def read_rows(block: bytes, first: int, last: bool, header: Header, profile: Profile, before: int) -> Rows:
    """Read the rows of a block.

    Args:
        block: whole lines.
        first: number of the first of them.
        last: they are the file's last.
        header: the file's header.
        profile: how the file is written.
        before: rows of the blocks before it.

    Raises:
        Rejected: the file has a trailer that is wrong, or its last line has no end.
    """
    if last:
        block = block.rstrip(b"\r\n") + b"\n" * block.rstrip(b"\r").endswith(b"\n")
        if profile.trailer:
            block = _check_trailer(block, profile, before)
        elif block and profile.ended and not block.endswith(b"\n"):
            lines = block.count(b"\n")
            raise Rejected("cut_off", f"line {first + lines} has no end")
        elif block and not block.endswith(b"\n"):
            block += b"\n"
    return _fast(block, first, header, profile) or _slow(block, first, header, profile)


def _check_trailer(block: bytes, profile: Profile, before: int) -> bytes:
    text = block.rstrip(b"\n")
    start = text.rfind(b"\n") + 1
    pattern = re.escape(profile.trailer.encode()).replace(re.escape(b"{count}"), rb"(\d{1,18})")
    match = re.fullmatch(pattern, text[start:].rstrip(b"\r"))
    if match is None:
        raise Rejected("wrong_trailer", f"the last line is no trailer {profile.trailer}")
    rows = before + sum(1 for line in text[:start].split(b"\n") if line.strip())
    if int(match[1]) != rows:
        raise Rejected("wrong_trailer", f"the trailer tells of {int(match[1])} rows, the file has {rows}")
    return text[:start]


def _fast(block: bytes, first: int, header: Header, profile: Profile) -> Rows | None:
    """Read a block whose lines are all rows that Arrow can split; None where something about it is odd."""
    raw = block
    block = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    count = block.count(b"\n")
    if not count or _odd_bytes(block, profile):
        return None
    if not block.isascii():
        try:
            text = block.decode(profile.encoding)
        except UnicodeDecodeError:
            return None
        block = text.encode()
    quoted = bool(profile.quote) and profile.quote.encode() in block
    bad: list[pa.csv.InvalidRow] = []

    def set_aside(row: pa.csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    required = profile.required()
    # Names of one's own: those of the columns that are not read may be empty, or there twice.
    names = [name if name in required else f"\0{index}" for index, name in enumerate(header.names)]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(block),
            # One thread: with more, the reader cannot tell the number of a bad row's line.
            pa.csv.ReadOptions(use_threads=False, column_names=names, block_size=len(block) + 1),
            pa.csv.ParseOptions(
                delimiter=profile.delimiter,
                quote_char=profile.quote if quoted else False,
                ignore_empty_lines=False,
                invalid_row_handler=set_aside,
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(required, pa.string()), strings_can_be_null=False, include_columns=required
            ),
        )
    except pa.ArrowInvalid:
        return None
    # Fewer rows than lines: a quote reached over a line's end.
    if bad or table.num_rows != count:
        return None
    table = table.combine_chunks()
    columns = {name: _chunk(table.column(name)) for name in required}
    # Arrow makes a row of an empty line; asked only where it may be so, since looking for two bytes is slow.
    if pc.any(pc.equal(columns[required[0]], "")).as_py() and (block[:1] == b"\n" or b"\n\n" in block):
        return None
    if quoted or _padded(block, profile.delimiter.encode()):
        columns = {name: pc.ascii_trim(column, " ") for name, column in columns.items()}
    return Rows(columns, pa.arange(first, first + count), raw, [])


def _slow(block: bytes, first: int, header: Header, profile: Profile) -> Rows:
    """Read a block line by line."""
    malformed: list[Malformed] = []
    kept: list[tuple[int, bytes, list[str]]] = []
    for number, line in enumerate(block.split(b"\n"), first):
        line = line.removesuffix(b"\r")
        if not line.strip():
            continue
        fields = _fields(line, profile)
        if fields is None:
            fault = Rejected("invalid_utf8" if _undecoded(line, profile) else "malformed_row", "")
            malformed.append((fault, number, line))
        elif len(fields) != len(header.names):
            detail = f"{len(fields)} fields, not {len(header.names)}"
            malformed.append((Rejected("malformed_row", detail), number, line))
        else:
            kept.append((number, line, fields))
    places = {name: header.names.index(name) for name in profile.required()}
    columns = {
        name: pa.array([row[2][place].strip(" ") for row in kept], pa.string()) for name, place in places.items()
    }
    return Rows(columns, pa.array([row[0] for row in kept], pa.int64()), [row[1] for row in kept], malformed)


def _fields(line: bytes, profile: Profile) -> list[str] | None:
    """Split one line; None where it is no text, or its quotes do not pair."""
    try:
        text = line.decode(profile.encoding)
        if "\r" in text or not profile.quote:
            return None if "\r" in text else text.split(profile.delimiter)
        return next(csv.reader([text], delimiter=profile.delimiter, quotechar=profile.quote, strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _undecoded(line: bytes, profile: Profile) -> bool:
    try:
        line.decode(profile.encoding)
    except UnicodeDecodeError:
        return True
    return False


def _odd_bytes(block: bytes, profile: Profile) -> bool:
    return len(block.translate(None, _CONTROL.replace(profile.delimiter.encode(), b""))) != len(block)


def _padded(block: bytes, delimiter: bytes) -> bool:
    beside = (b" " + delimiter, delimiter + b" ", b" \n", b"\n ")
    return b" " in block and (block[:1] == b" " or any(pair in block for pair in beside))


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
