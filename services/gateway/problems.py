"""Problems: why a request is not taken, as RFC 9457 writes it, `application/problem+json`.

A problem names the fault and what would mend it. It never repeats a value, and never says more to a stranger than that
nothing proves who it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

MEDIA_TYPE = "application/problem+json"
URN = "urn:milepost:problem:"


class Kind(NamedTuple):
    """A kind of problem: its status, and its title."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "malformed": Kind(400, "The body cannot be read."),
    "too_deep": Kind(400, "The JSON is nested too deeply."),
    "bad_encoding": Kind(400, "The body cannot be decompressed."),
    "bad_request": Kind(400, "This is no valid HTTP request."),
    "unproved": Kind(401, "Nothing proves who sent this."),
    "not_found": Kind(404, "There is nothing here."),
    "unknown_sender": Kind(404, "There is no such sender."),
    "wrong_method": Kind(405, "This cannot be done here."),
    "too_slow": Kind(408, "The request took too long to come."),
    "too_large": Kind(413, "The body is too large."),
    "too_many_events": Kind(413, "The body has too many events."),
    "unknown_encoding": Kind(415, "The body is compressed in a way that is not known here."),
    "unknown_media_type": Kind(415, "The body's media type is not known here."),
    "invalid_events": Kind(422, "Some events cannot be taken, so none was."),
    "too_fast": Kind(429, "Requests come too fast."),
    "failed": Kind(500, "Something failed here."),
    "busy": Kind(503, "Too many requests are in hand."),
    "keys_away": Kind(503, "The sender's keys cannot be had now, so nothing of its can be proved."),
    "full": Kind(503, "Nothing more can be kept now."),
}
"""Every problem there is; its type is its name behind `urn:milepost:problem:`."""


class Problem(Exception):
    """A request that is not taken."""

    def __init__(
        self, name: str, detail: str = "", *, retry_after: float = 0.0, close: bool = False, **more: object
    ) -> None:
        """Say what is wrong.

        Args:
            name: one of KINDS.
            detail: one sentence on this occurrence, without any value of the request.
            retry_after: seconds after which the request may come again; 0 where that would change nothing.
            close: whether the rest of the connection cannot be used.
            more: further members.
        """
        super().__init__(detail or KINDS[name].title)
        self.name = name
        self.status = KINDS[name].status
        self.detail = detail
        self.retry_after = retry_after
        self.close = close
        self.more = more

    def body(self) -> bytes:
        """Give the JSON object."""
        said: dict[str, Any] = {"type": URN + self.name, "title": KINDS[self.name].title, "status": self.status}
        if self.detail:
            said["detail"] = self.detail
        return msgspec.json.encode(said | self.more)

    def headers(self) -> dict[str, str]:
        """Give the headers."""
        said = {"content-type": MEDIA_TYPE}
        if self.retry_after:
            # At least 1: a wait of 0 would be no wait.
            said["retry-after"] = str(max(1, round(self.retry_after)))
        if self.close:
            said["connection"] = "close"
        if self.status == 401:
            said["www-authenticate"] = "ApiKey"
        return said
