"""What a sender's codes mean: one TOML file a sender, to be read beside the sender's own list.

A code of several parts is written with slashes; a `*` in a place stands for anything there, and a code with fewer of
them goes before one with more. A code may say two things, and is then written twice: delivered, and damaged. Where a
carrier's bulk files have the same codes, its profile says what they mean, and the table only adds to it.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.profile_faults import HAVE_REASONS, REASON
from schemas.profiles import ANY, CodeGroup, Meaning, Place, Profile, Text, read_profiles
from schemas.stages import STAGES

FOLDER = Path(__file__).parent / "tables"


class Table(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The codes of one sender."""

    key: list[Text]
    """The fields that make a code."""
    description: Text
    """Where the codes come from, and what of their meaning is our reading."""
    codes: list[CodeGroup] = []
    ignored: list[str] = []
    """Codes that are known and tell nothing that a parcel's journey has a stage for."""
    profile: str = ""
    """The carrier whose profile goes on where the table ends."""

    def meanings(self, place: Place) -> tuple[Meaning, ...] | None:
        """Give what a code says: nothing for one that is ignored, None for one that is not known."""
        for mask in _MASKS[len(self.key)]:
            found = self.known.get(tuple(ANY if star else part for part, star in zip(place, mask, strict=True)))
            if found is not None:
                return found
        meaning = self.carrier().meaning(place) if self.profile else None
        return None if meaning is None else () if meaning.stage is None else (meaning,)

    @cached_property
    def known(self) -> Mapping[Place, tuple[Meaning, ...]]:
        """The codes of the table itself."""
        return _gather(self)

    def carrier(self) -> Profile:
        """Give the carrier's profile."""
        return read_profiles()[self.profile]


# Fewest stars first; of equally many, those at the end.
_MASKS = {size: sorted(product((False, True), repeat=size), key=lambda mask: (sum(mask), mask)) for size in (1, 2, 3)}


@lru_cache(maxsize=32)
def read_table(kind: str) -> Table:
    """Read the table of a kind of sender."""
    return parse_table(tomllib.loads((FOLDER / f"{kind}.toml").read_text(encoding="utf-8")))


def parse_table(written: Mapping[str, object]) -> Table:
    """Check a table.

    Raises:
        ValueError: it has no table's form, or says what cannot be; the text is a clause.
    """
    table = msgspec.convert(written, Table)
    for fault in _faults(table):
        raise ValueError(fault)
    return table


def _faults(table: Table) -> Iterator[str]:
    if len(table.key) not in _MASKS:
        yield "a code has at most three parts"
    for code in [*table.ignored, *(code for group in table.codes for code in group.codes)]:
        if len(_split(code, len(table.key))) != len(table.key):
            yield f"the code {code!r} has not {len(table.key)} parts"
    for group in table.codes:
        if group.stage not in STAGES:
            yield f"the stage {group.stage!r} is unknown"
        if group.reason is not None and not (group.stage in HAVE_REASONS and REASON.fullmatch(group.reason)):
            yield f"the reason {group.reason!r} cannot be one of {group.stage}"
    for code in table.ignored:
        if table.known[_split(code, len(table.key))]:
            yield f"the code {code!r} is both ignored and mapped"
    for place, meanings in table.known.items():
        if len({meaning.stage for meaning in meanings}) != len(meanings):
            yield f"the code {'/'.join(place)!r} is written twice"


def _gather(table: Table) -> dict[Place, tuple[Meaning, ...]]:
    known: dict[Place, tuple[Meaning, ...]] = {_split(code, len(table.key)): () for code in table.ignored}
    for group in table.codes:
        for code in group.codes:
            place = _split(code, len(table.key))
            known[place] = (*known.get(place, ()), Meaning(group.stage, group.reason))
    return known


def _split(code: str, size: int) -> Place:
    return (code,) if size == 1 else tuple(code.split("/"))


def on_return(meanings: Sequence[Meaning]) -> tuple[Meaning, ...]:
    """Give what a code says of a parcel on its way back to the shop: its delivery is the return's end."""
    return tuple(_BACK.get(meaning.stage or "", meaning) for meaning in meanings if meaning.stage not in _NOT_BACK)


_BACK = {"delivered": Meaning("returned")} | {
    stage: Meaning("return_started")
    for stage in ("carrier_scanned", "in_transit", "hub_in", "hub_out", "out_for_delivery", "available_for_pickup")
}
# The label of a return is no label of the parcel, and nobody cancels an order by cancelling its return.
_NOT_BACK = frozenset({"labeled", "attempt_failed", "cancelled"})
