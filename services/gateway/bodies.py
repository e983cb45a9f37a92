"""Bodies: read within limits of bytes and time, decompressed within a limit, and not too deep."""

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Mapping

from services.gateway.problems import Problem

_DRAINED = 4
"""A body up to this many times too large is read to its end: a sender that is cut off while sending sees no answer."""
_WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_NO_BRACKET = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^][{}"]++', re.DOTALL)


async def read_body(headers: Mapping[str, str], stream: AsyncIterator[bytes], largest: int, seconds: float) -> bytes:
    """Read a body as it comes over the line.

    Args:
        headers: of the request, names in lower case.
        stream: its body in pieces.
        largest: bytes it may have.
        seconds: for all of it.

    Raises:
        Problem: too_large, too_slow.
    """
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > largest * _DRAINED:
        raise Problem("too_large", f"At most {largest} bytes are taken.", close=True)
    pieces, size = list[bytes](), 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in stream:
                size += len(piece)
                if size > largest * _DRAINED:
                    break
                if size <= largest:
                    pieces.append(piece)
    except TimeoutError as fault:
        raise Problem("too_slow", close=True) from fault
    if size > largest:
        raise Problem("too_large", f"At most {largest} bytes are taken.", close=size > largest * _DRAINED)
    return b"".join(pieces)


def decompress(body: bytes, encoding: str, largest: int) -> bytes:
    """Undo a Content-Encoding: gzip, deflate or none.

    Args:
        body: as it came over the line.
        encoding: the header; empty for none.
        largest: bytes that may come of it; not a byte more is ever made.

    Raises:
        Problem: unknown_encoding, bad_encoding, too_large.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WBITS:
        raise Problem("unknown_encoding", "gzip, deflate and identity are known.")
    whole = b""
    while body:
        stream = zlib.decompressobj(_WBITS[encoding])
        try:
            whole += stream.decompress(body, largest + 1 - len(whole))
        except zlib.error as fault:
            raise Problem("bad_encoding") from fault
        if len(whole) > largest:
            raise Problem("too_large", f"At most {largest} bytes are taken after decompression.")
        if not stream.eof:
            raise Problem("bad_encoding", "The compressed data is cut off.")
        # gzip may go on with another member.
        body = stream.unused_data
    return whole


def check_depth(body: bytes, deepest: int) -> None:
    """Refuse JSON that is nested too deeply, before any parser sees it.

    Raises:
        Problem: too_deep.
    """
    if body.count(b"[") + body.count(b"{") <= deepest:
        return
    depth = 0
    for bracket in _NO_BRACKET.sub(b"", body):
        depth += 1 if bracket in b"[{" else -1
        if depth > deepest:
            raise Problem("too_deep", f"At most {deepest} levels are taken.")
