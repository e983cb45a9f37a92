"""Forms: what a browser sent, read up to a limit."""

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import Request

from services.desk.problems import Problem

MOST_BYTES = 64 * 1024
MOST_FIELDS = 1_000


class Form:
    """The fields of a form."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        """Take them."""
        self._fields = fields

    def one(self, name: str) -> str:
        """Give a field; nothing for one that is not there."""
        return next((value for field, value in self._fields if field == name), "")

    def all(self, name: str) -> list[str]:
        """Give all fields of a name."""
        return [value for field, value in self._fields if field == name]


async def read_form(request: Request, seconds: float) -> Form:
    """Read a form, which must come in so many seconds.

    Raises:
        Problem: it is none, too large, or too slow.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(400, "This is no form of the desk's.")
    try:
        async with asyncio.timeout(seconds):
            body = await _read(request)
    except TimeoutError as fault:
        raise Problem(408, "The form took too long to come.") from fault
    try:
        return Form(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as fault:
        raise Problem(400, "This is no form of the desk's.") from fault


async def _read(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Problem(413, "The form is too large.")
    return body
