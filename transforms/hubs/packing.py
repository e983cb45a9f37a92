"""Open a bulk file, plain, gzip or zip, as blocks of whole lines; nothing is unpacked to disk, or without bound."""

import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from schemas.rejections import Rejected

BLOCK = 4 * 1024 * 1024
"""Bytes read at a time; a block has whole lines, so it may be longer by one line."""

LONGEST_LINE = 1024 * 1024
MOST_BYTES = 4 * 1024**3
"""Bytes that a file may unpack to."""

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError, ValueError)
"""Raised while a file is read that is damaged, or packed in a way that cannot be read."""


@contextmanager
def unpacked(path: str, compression: str = "any") -> Iterator[IO[bytes]]:
    """Open a file for reading what is packed in it; `any` goes by its first bytes.

    Raises:
        Rejected: it is not packed as told, or a zip has not exactly one member, a CSV.
    """
    with open(path, "rb") as file:
        start = file.read(4)
        file.seek(0)
        found = "gzip" if start[:2] == b"\x1f\x8b" else "zip" if start[:2] == b"PK" else "none"
        if compression not in ("any", found):
            raise Rejected("unreadable_file", f"the file is packed by {found}, not {compression}")
        if found == "gzip":
            with gzip.GzipFile(fileobj=file) as stream:
                yield cast(IO[bytes], stream)
        elif found == "zip":
            with zipfile.ZipFile(file) as archive:
                members = [member for member in archive.infolist() if not member.is_dir()]
                if len(members) != 1 or not members[0].filename.lower().endswith(".csv"):
                    raise Rejected("unreadable_file", f"the zip has {len(members)} files, not one CSV")
                with archive.open(members[0]) as stream:
                    yield stream
        else:
            yield file


def read_blocks(path: str, compression: str = "any", most_bytes: int = MOST_BYTES) -> Iterator[tuple[int, bytes, bool]]:
    """Give a file's lines in blocks: the number of the first line, the lines, and whether they are the last.

    Blocks of nothing but empty lines are left out.

    Raises:
        Rejected: the file cannot be read to its end, changes meanwhile, unpacks to too much, or has an endless line.
    """
    try:
        before = os.stat(path)
        held: tuple[int, bytes] | None = None
        line = 1
        with unpacked(path, compression) as stream:
            for block in _whole_lines(stream, most_bytes):
                if block.strip():
                    if held:
                        yield (*held, False)
                    held = line, block
                line += block.count(b"\n")
        after = os.stat(path)
    except DAMAGED as fault:
        raise Rejected("unreadable_file", str(fault).split("\n")[0][:200] or type(fault).__name__) from fault
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise Rejected("unreadable_file", "the file changed while it was read")
    if held:
        yield (*held, True)


def _whole_lines(stream: IO[bytes], most_bytes: int) -> Iterator[bytes]:
    rest, size = b"", 0
    while chunk := stream.read(BLOCK):
        size += len(chunk)
        if size > most_bytes:
            raise Rejected("unreadable_file", f"the file unpacks to more than {most_bytes:,} bytes")
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
        if len(rest) > LONGEST_LINE:
            raise Rejected("unreadable_file", f"a line is longer than {LONGEST_LINE:,} bytes")
    if rest:
        yield rest
