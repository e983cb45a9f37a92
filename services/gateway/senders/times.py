"""Times as senders write them: exact, or refused. A time without a zone is read only where its sender says which."""

import datetime
import re
import zoneinfo

from schemas.fields import Micros, to_micros
from schemas.profile_faults import is_zone
from services.gateway.senders.sender import Malformed
from transforms.ingest.validate import EARLIEST, LATEST_PROMISE

INDIA = "Asia/Kolkata"

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|z|[+-]\d\d:?\d\d)?", re.ASCII)


def instant(text: str, field: str, zone: str | None = None) -> Micros:
    """Read an ISO 8601 time.

    Args:
        text: the time.
        field: of the payload, for what is said of a bad one.
        zone: IANA zone of a time that has none.

    Raises:
        Malformed: it is no time, has no zone, or lies where no parcel's life can.
    """
    if not _ISO.fullmatch(text):
        raise Malformed(f"{field} is no time")
    try:
        moment = datetime.datetime.fromisoformat(text.replace(",", "."))
    except ValueError as fault:
        raise Malformed(f"{field} is no time") from fault
    return bounded(to_micros(moment if moment.tzinfo else _placed(moment, field, zone)), field)


def local(text: str, formats: tuple[str, ...], zone: str | datetime.timezone, field: str) -> Micros:
    """Read a local time by the first format that fits.

    Args:
        text: the time.
        formats: in the letters of strptime.
        zone: an IANA zone, or an offset.
        field: of the payload, for what is said of a bad one.

    Raises:
        Malformed: no format fits, or it lies where no parcel's life can.
    """
    for written in formats:
        # strptime itself takes numbers with fewer digits than the format has.
        shape = re.sub("%(.)", lambda letter: r"\d{4}" if letter[1] == "Y" else r"\d{2}", re.escape(written))
        if re.fullmatch(shape, text, re.ASCII):
            try:
                moment = datetime.datetime.strptime(text, written)  # noqa: DTZ007
            except ValueError:
                continue
            return bounded(to_micros(_placed(moment, field, zone)), field)
    raise Malformed(f"{field} is no time")


def bounded(ts: Micros, field: str) -> Micros:
    """Give a time that can be in a parcel's life.

    Raises:
        Malformed: it cannot.
    """
    if not EARLIEST <= ts <= LATEST_PROMISE:
        raise Malformed(f"{field} is out of all bounds")
    return ts


def promised(text: str | None) -> Micros | None:
    """Read a promise; one without a zone, or only of a day, is none: whose midnight it means is not told."""
    try:
        return instant(text, "the promise") if text else None
    except Malformed:
        return None


def offset(text: str, field: str) -> datetime.timezone:
    """Read an offset such as `-04.00`, `+05:30` or `Z`.

    Raises:
        Malformed: the text is none.
    """
    if text == "Z":
        return datetime.UTC
    match = re.fullmatch(r"([+-]?)(\d{1,2})[:.]?(\d\d)", text, re.ASCII)
    if match is None or int(match[2]) > 14 or int(match[3]) > 59:
        raise Malformed(f"{field} is no offset")
    length = datetime.timedelta(hours=int(match[2]), minutes=int(match[3]))
    return datetime.timezone(-length if match[1] == "-" else length)


def _placed(moment: datetime.datetime, field: str, zone: str | datetime.timezone | None) -> datetime.datetime:
    if isinstance(zone, datetime.timezone):
        return moment.replace(tzinfo=zone)
    if zone is None or not is_zone(zone):
        raise Malformed(f"{field} has no zone")
    return moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))
