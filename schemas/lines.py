"""A block of lines on its way in: what every source hands over, bounded or not."""

from msgspec import Struct

from schemas.fields import Micros

KNOWN = "the lake"
"""Source of lines that the lake itself knows."""


class LineBlock(Struct, array_like=True, gc=False):
    """Whole lines, and where they stood: one element for thousands of events, since elements are what costs."""

    source: str
    first_line: int
    lines: bytes
    read_ts: Micros
