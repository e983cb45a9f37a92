"""Text from outside made plain: waybills, orders, places, codes, and carriers by Milepost's own names."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from schemas.profiles import CANONICAL, read_profiles
from services.gateway.senders.sender import Malformed

_WAYBILL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/-]{0,63}")
# Long numbers and addresses of people have no business in a facility's name.
_PERSONAL = re.compile(r"\d(?:[ ().-]?\d){6,}|@")
_UNFIT = re.compile(r"[^A-Za-z0-9_.&/ -]+")
_LONGEST = 64


def waybill(text: str | int, field: str) -> str:
    """Give a tracking number.

    Raises:
        Malformed: the text is none.
    """
    number = str(text).strip()
    if not _WAYBILL.fullmatch(number):
        raise Malformed(f"{field} is no tracking number")
    return number


def order(text: str | int | None, field: str) -> str | None:
    """Give an order's number; None where there is none.

    Raises:
        Malformed: the text is none.
    """
    number = "" if text is None else str(text).strip()
    if len(number) > _LONGEST or not number.isprintable():
        raise Malformed(f"{field} is no order's number")
    return number or None


def place(text: str | None) -> str | None:
    """Give a facility or a city; None for what may be somebody's address or number instead."""
    name = " ".join((text or "").split())
    if not name or len(name) > _LONGEST or not name.isprintable() or _PERSONAL.search(name):
        return None
    return name


def code(parts: Iterable[str]) -> str:
    """Give a code that can be shown and counted, whatever was sent as one."""
    shown = _UNFIT.sub("_", _PERSONAL.sub("_", "/".join(part[:_LONGEST] for part in parts)))
    return shown[:_LONGEST].strip() or "none"


def carrier_id(written: str, aliases: Mapping[str, str], *, with_service: bool = False) -> str | None:
    """Give Milepost's name of a carrier: that of its bulk files, where it has any; None for what is no name.

    Args:
        written: as the sender writes it.
        aliases: names that are set by hand, by the sender's.
        with_service: the sender adds a service to the name: `Delhivery Surface`.

    >>> carrier_id("DHLExpress", {}), carrier_id("Blue Dart Air", {}, with_service=True), carrier_id("GLS-Italy", {})
    ('dhl_express', 'blue_dart', 'gls_italy')
    """
    if written in aliases:
        return aliases[written]
    words = re.findall("[a-z0-9]+", written.lower())
    for size in range(len(words), 0 if with_service else len(words) - 1, -1):
        if found := _known().get("".join(words[:size])):
            return found
    name = "_".join(words)
    return name if 1 <= len(name) <= 32 else None


@lru_cache(maxsize=1)
def _known() -> Mapping[str, str]:
    return {name.replace("_", ""): name for name in read_profiles() if name != CANONICAL}
