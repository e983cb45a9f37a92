"""Carrier profiles: how each carrier writes its bulk file of hub scans. Data, one TOML file a carrier.

A code names a row's meaning. Where one column does not tell it, a code is several columns' values joined by a slash,
`UD/Dispatched`; a `*` in a place stands for any value there, and a code with fewer of them goes before one with more.
"""

import datetime
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Optional

from msgspec import Meta, Struct

from schemas.settings import read_settings

FOLDER = Path(__file__).parent / "carriers"
"""Every TOML file in it is a profile: adding a carrier means adding a file."""

CANONICAL = "generic"
"""The profile of files of carriers that have none of their own."""

ANY = "*"

Text = Annotated[str, Meta(min_length=1)]
Place = tuple[str, ...]
"""The values of a code's columns, in their order."""


class ProfileError(ValueError):
    """A profile that cannot be used; its text is one clear sentence."""


class Columns(Struct, frozen=True, forbid_unknown_fields=True):
    """Header names of the columns that are read; a file may have others, and in any order."""

    tracking_number: Text
    scan_time: Annotated[list[Text], Meta(min_length=1)]
    """The columns of the time, read as one text with a space between them."""
    code: Annotated[list[Text], Meta(min_length=1)]
    hub: Text
    carrier: Optional[Text] = None
    """The column of the carrier's name; without one it is the profile's name."""

    def names(self) -> list[str]:
        """Give every header name that a file must have, but that of the offset."""
        carrier = [] if self.carrier is None else [self.carrier]
        return [self.tracking_number, *self.scan_time, *self.code, self.hub, *carrier]


class Zone(Struct, frozen=True, forbid_unknown_fields=True):
    """Which zone the times are of: exactly one of `fixed`, `column`, `hubs` and `in_text` is written.

    A local time that occurs twice is its first occurrence; one that the clocks skip is the first moment after the gap.
    """

    fixed: Optional[str] = None
    """An IANA zone."""
    column: Optional[str] = None
    """Header name of a column of offsets: `-04.00`, `+05:30`, `-7:00`, `Z`, or one of `names`."""
    names: Mapping[str, str] = {}
    """IANA zone of each name the column may hold, such as IST."""
    hubs: Mapping[str, str] = {}
    """IANA zone by the beginning of the hub's name; the longest one that fits counts."""
    default: Optional[str] = None
    """IANA zone of hubs that fit none; without one their rows are rejected."""
    in_text: bool = False
    """Every time is RFC 3339 with its own offset; `formats` is not used."""

    def kinds(self) -> int:
        """Count how many ways to know the zone are written."""
        return sum((self.fixed is not None, self.column is not None, bool(self.hubs), self.in_text))

    def all(self) -> list[str]:
        """Give every IANA zone it names."""
        single = [name for name in (self.fixed, self.default) if name is not None]
        return [*single, *self.names.values(), *self.hubs.values()]


class CodeGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """Codes of one meaning."""

    stage: str
    codes: list[Text]
    reason: Optional[str] = None


class Meaning(NamedTuple):
    """What a code says: a stage and perhaps a reason, or, with no stage, nothing that matters here."""

    stage: str | None
    reason: str | None = None


class Profile(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How one carrier writes its files."""

    name: Text
    """The carrier's name in the lake."""
    description: Text
    """Where the format comes from, and what of it is assumed."""
    columns: Columns
    zone: Zone
    codes: list[CodeGroup]
    formats: list[str] = []
    """Formats of the time, in the letters of strptime; `ISO` is a date and time of ISO 8601 without a zone."""
    ignored: list[Text] = []
    """Codes that are information only: their rows are counted, not taken."""
    return_groups: list[Text] = []
    """Values that mark the return leg; a code that has one is no delivery to the customer."""
    unpadded: list[Text] = []
    """Columns of the code whose leading zeros are dropped."""
    files: list[Text] = []
    """Files in the drop folder, a folder and a name in the letters of strftime; default `<name>/%Y-%m-%d.csv`."""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Meta(max_length=1)] = '"'
    """Empty where the carrier does not quote."""
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "latin-1"] = "utf-8"
    compression: Literal["any", "none", "gzip", "zip"] = "any"
    trailer: str = ""
    """The last line, with {count} for the number of rows; empty where there is none."""
    ended: bool = True
    """The carrier ends its last line; one without an end was cut off. Not asked of a trailer."""
    hub_required: bool = True
    bad_share: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Share of bad rows above which the whole file is quarantined ..."""
    bad_rows: Annotated[int, Meta(ge=0)] = 5
    """... unless they are this few, since a share of few rows tells nothing, and some rows are good."""

    def patterns(self) -> list[str]:
        """Give the patterns of its files."""
        return self.files or [f"{self.name}/%Y-%m-%d.csv"]

    def split(self, code: str) -> Place:
        """Give the places of a written code."""
        return (code,) if len(self.columns.code) == 1 else tuple(code.split("/"))

    def written(self) -> Iterator[tuple[Place, Meaning]]:
        """Give every code as written, with its meaning, those written twice too."""
        for group in self.codes:
            yield from ((self.split(code), Meaning(group.stage, group.reason)) for code in group.codes)
        yield from ((self.split(code), Meaning(None)) for code in self.ignored)

    def required(self) -> list[str]:
        """Give every header name that a file must have."""
        return list(dict.fromkeys([*self.columns.names(), *([self.zone.column] if self.zone.column else [])]))

    def meaning(self, place: Place) -> Meaning | None:
        """Give what a row's code says; None for a code that the profile does not know."""
        table: dict[Place, Meaning] = self.__dict__.get("table") or dict(self.written())
        self.__dict__["table"] = table
        masks = self.__dict__.setdefault("masks", _masks(table))
        for mask in masks:
            found = table.get(tuple(ANY if star else part for part, star in zip(place, mask, strict=True)))
            if found is not None:
                return found
        return None


def _masks(table: Mapping[Place, Meaning]) -> list[tuple[bool, ...]]:
    found = {tuple(part == ANY for part in place) for place in table}
    return sorted(found, key=lambda mask: (sum(mask), mask))


def parse_profile(path: Path) -> Profile:
    """Read a profile's file, whatever faults its content has.

    Raises:
        ProfileError: the file cannot be read, is no TOML, or has no profile's form.
    """
    return read_settings(path, Profile, ProfileError, "The profile")


def read_profile(path: Path) -> Profile:
    """Read a profile's file, and make sure that it is free of faults.

    Raises:
        ProfileError: the profile cannot be used.
    """
    from schemas.profile_faults import faults_of

    profile = parse_profile(path)
    faults = faults_of(profile)
    if faults:
        raise ProfileError(f"The profile {path} cannot be used: {faults[0]}.")
    return profile


@lru_cache(maxsize=8)
def read_profiles(folder: Path = FOLDER) -> Mapping[str, Profile]:
    """Read every profile of a folder, by name.

    Raises:
        ProfileError: a profile cannot be used, or two have one name.
    """
    found: dict[str, Profile] = {}
    for path in sorted(folder.glob("*.toml")):
        profile = read_profile(path)
        if profile.name in found:
            raise ProfileError(f"The profile {path} cannot be used: there is another one named {profile.name}.")
        found[profile.name] = profile
    return found


def profile_of(source: str, profiles: Mapping[str, Profile]) -> tuple[Profile, datetime.date] | None:
    """Give the profile and the service day of a file in the drop folder; None for one that no profile expects.

    A carrier's own profile goes before the canonical one.

    Args:
        source: folder and name, such as `ups/2026-03-01.csv.gz`.
        profiles: the profiles, by name.
    """
    folder, _, name = source.removesuffix(".gz").removesuffix(".zip").rpartition("/")
    for profile in sorted(profiles.values(), key=_is_canonical):
        for pattern in profile.patterns():
            place, _, written = pattern.rpartition("/")
            if folder and place in (folder, ANY):
                try:
                    return profile, datetime.datetime.strptime(name, written).date()  # noqa: DTZ007
                except ValueError:
                    continue
    return None


def _is_canonical(profile: Profile) -> bool:
    return profile.name == CANONICAL
