"""Forms: what a browser sent, read up to a limit."""

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


async def read_form(request: Request) -> Form:
    """Read a form.

    Raises:
        Problem: it is none, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Problem(400, "This is no form of the desk's.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Problem(413, "The form is too large.")
    try:
        return Form(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as fault:
        raise Problem(400, "This is no form of the desk's.") from fault
