"""Pages: templates that escape whatever they are given, and the few files beside them, held in memory."""

import datetime
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import HTMLResponse

from pipelines.explain import span
from pipelines.render import for_people
from schemas.fields import Micros
from services.desk.stories import clock

FOLDER = Path(__file__).parent
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

STATIC: dict[str, tuple[bytes, str]] = {
    path.name: (path.read_bytes(), _KINDS[path.suffix[1:]]) for path in sorted((FOLDER / "static").iterdir())
}
"""The files there are, by name, with their types: no other name leads anywhere."""

ALERTS = {
    "pick_pack_delay": "Not packed in time",
    "label_scan_delay": "No carrier scan",
    "last_mile_delay": "Silent on last mile",
    "sla_at_risk": "Promise at risk",
    "sla_breached": "Promise broken",
    "exception": "Exception",
    "attempt_failed": "Attempt failed",
    "silent_high_value": "Silent, high value",
}
"""What the desk calls the kinds of alerts."""


class Pages:
    """The templates."""

    def __init__(self) -> None:
        """Read them."""
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters.update(clock=clock, minute=minute, ago=ago, evident=evident, shown=for_people)
        self._templates.globals.update(version=_version(), alerts=ALERTS)

    def show(self, page: str, status: int = 200, /, **given: Any) -> HTMLResponse:  # noqa: ANN401
        """Give a page."""
        return HTMLResponse(self._templates.get_template(f"{page}.html").render(given), status)


def minute(at: Micros | None) -> str:
    """Give a time to the minute, in UTC; nothing for none.

    >>> minute(61_000_000)
    '1970-01-01 00:01'
    """
    return clock(at)[:16]


def ago(at: Micros, now: Micros) -> str:
    """Give how long ago something was, for people; what lies ahead is `in` so long."""
    length = span(abs(datetime.timedelta(microseconds=now - at)))
    return length if at <= now else f"in {length}"


def evident(evidence: str) -> str:
    """Give evidence with its times to the second.

    >>> evident("picked 2026-03-02T09:00:00.123456Z")
    'picked 2026-03-02 09:00:00Z'
    """
    return _TIME.sub(r"\1 \2Z", evidence)


def _version() -> str:
    """Give what changes with the files, so that browsers may keep them for good."""
    return hashlib.blake2b(b"".join(body for body, _ in STATIC.values()), digest_size=6).hexdigest()
