"""Pieces of visits on their way between workers."""

from collections.abc import Sequence

import msgspec

from schemas.rows import Visit

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Visit])


def pack_visits(visits: Sequence[Visit]) -> bytes:
    """Pack pieces of visits."""
    return _ENCODER.encode(visits)


def unpack_visits(packed: bytes) -> list[Visit]:
    """Unpack what `pack_visits` packed."""
    return _DECODER.decode(packed)
