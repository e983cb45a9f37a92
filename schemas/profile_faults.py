"""What can be wrong with a carrier profile: one line a fault, for `milepost carriers lint`."""

import re
import zoneinfo
from collections.abc import Iterator

from schemas.profiles import ANY, Meaning, Place, Profile
from schemas.stages import STAGES

REASON = re.compile(r"(carrier|consignee|customs|retailer|weather)_[a-z_]+")
"""A reason says whose it is, in Karrio's words."""

RETURN_WORDS = frozenset({"RT", "RS", "RTO", "DTO"})
"""Values that mark a return with whichever carrier."""

HAVE_REASONS = frozenset({"exception", "attempt_failed", "failed", "lost", "cancelled", "return_started", "returned"})
"""Stages that may be somebody's fault."""

DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"(?:0[1-9]|1[0-2])", "d": r"(?:0[1-9]|[12]\d|3[01])", "b": "[A-Za-z]{3}",
    "H": r"(?:[01]\d|2[0-3])", "I": r"(?:0[1-9]|1[0-2])", "M": r"[0-5]\d", "S": r"[0-5]\d", "p": "[AaPp][Mm]",
}  # fmt: skip
"""Pattern of each letter that a format may have: all of fixed width, so that no digit can slip into a neighbour's."""

ISO = "ISO"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}")


def faults_of(profile: Profile) -> list[str]:
    """Give every fault of a profile, each a clause without a full stop; none for one that can be used."""
    return [*_form(profile), *_times(profile), *_meanings(profile), *_twice(profile), *_rivals(profile)]


def is_zone(name: str) -> bool:
    """Tell whether a name is that of an IANA zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def format_fault(written: str) -> str:
    """Give what is wrong with a time's format; empty for one that can be read."""
    if written == ISO:
        return ""
    letters = re.findall("%(.?)", written)
    unknown = [letter for letter in letters if letter not in DIRECTIVES]
    if unknown:
        return f"%{unknown[0]} is not known; there are {' '.join('%' + letter for letter in DIRECTIVES)}"
    if len(letters) != len(set(letters)):
        return "a letter occurs twice"
    if not (set("Yy") & set(letters) and set("mb") & set(letters) and "d" in letters):
        return "it has no year, month and day"
    if "M" not in letters or not ("H" in letters or {"I", "p"} <= set(letters)):
        return "it has no hour and minute"
    return ""


def _form(profile: Profile) -> Iterator[str]:
    if not _NAME.fullmatch(profile.name) or ".." in profile.name:
        yield f"the name {profile.name!r} may have letters, digits, space and _ . & - only"
    if profile.quote == profile.delimiter or profile.delimiter in "\r\n" or profile.quote in ("\r", "\n"):
        yield "the delimiter and the quote must be two characters, neither of them a line's end"
    if not (profile.delimiter + profile.quote).isascii():
        yield "the delimiter and the quote must be ASCII"
    if profile.trailer and profile.trailer.count("{count}") != 1:
        yield f"the trailer {profile.trailer!r} has no {{count}}"
    for name in sorted(set(profile.unpadded) - set(profile.columns.code)):
        yield f"{name} is unpadded but no column of the code"
    for pattern in profile.patterns():
        if pattern.count("/") != 1 or ".." in pattern or not pattern.endswith(".csv"):
            yield f"the files {pattern!r} are not <folder>/<name>.csv"
        elif not all(letter in pattern for letter in ("%Y", "%m", "%d")):
            yield f"the files {pattern!r} have no %Y, %m and %d"


def _times(profile: Profile) -> Iterator[str]:
    if profile.zone.kinds() != 1:
        yield "the zone must be exactly one of fixed, column, hubs and in_text"
    for name in dict.fromkeys(profile.zone.all()):
        if not is_zone(name):
            yield f"the zone {name!r} is unknown"
    if not profile.formats and not profile.zone.in_text:
        yield "there is no format of the time"
    for written in profile.formats:
        if fault := format_fault(written):
            yield f"the format {written!r} is bad: {fault}"


def _meanings(profile: Profile) -> Iterator[str]:
    for group in profile.codes:
        if group.stage not in STAGES:
            yield f"the stage {group.stage!r} is unknown"
        if group.reason is not None and not REASON.fullmatch(group.reason):
            yield f"the reason {group.reason!r} does not begin with carrier_, consignee_, customs_, retailer_, weather_"
        if group.reason is not None and group.stage in STAGES and group.stage not in HAVE_REASONS:
            yield f"the stage {group.stage} has no reason, {group.reason!r} is given"
    places = [place for place, _ in profile.written()]
    marks = RETURN_WORDS | set(profile.return_groups)
    for place, meaning in profile.written():
        code = "/".join(place)
        if len(place) != len(profile.columns.code):
            yield f"the code {code!r} has {len(place)} places, not {len(profile.columns.code)}"
        elif meaning.stage == "delivered" and marks & set(place):
            yield f"the code {code!r} is of the return leg but mapped to delivered"
        elif meaning.stage == "delivered" and any(marks & set(other) and fits(place, other) for other in places):
            yield f"the code {code!r} is mapped to delivered but fits returns as well"


def _twice(profile: Profile) -> Iterator[str]:
    first: dict[Place, Meaning] = {}
    for place, meaning in profile.written():
        code = "/".join(place)
        if place not in first:
            first[place] = meaning
        elif first[place] == meaning:
            yield f"the code {code!r} is written twice"
        elif None in (first[place].stage, meaning.stage):
            yield f"the code {code!r} is both ignored and mapped to {first[place].stage or meaning.stage}"
        else:
            yield f"the code {code!r} is contradictory: {_say(first[place])} and {_say(meaning)}"


def _rivals(profile: Profile) -> Iterator[str]:
    """Find codes with equally many stars that fit one row and say different things of it."""
    starred = [(place, meaning) for place, meaning in profile.written() if ANY in place]
    for index, (place, meaning) in enumerate(starred):
        for other, theirs in starred[index + 1 :]:
            equal = place.count(ANY) == other.count(ANY) and place != other
            if equal and meaning != theirs and fits(place, other):
                yield f"the codes {'/'.join(place)!r} and {'/'.join(other)!r} may fit one row and are contradictory"


def fits(one: Place, other: Place) -> bool:
    """Tell whether one row may be of both codes."""
    return len(one) == len(other) and all(ANY in pair or pair[0] == pair[1] for pair in zip(one, other, strict=True))


def _say(meaning: Meaning) -> str:
    return f"{meaning.stage} ({meaning.reason})" if meaning.reason else str(meaning.stage)
