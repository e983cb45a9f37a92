"""One POST with a hard limit of time, and what its end means: refused, or nobody knows."""

import datetime
import email.utils
import http.client
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from services.relay.channels.channel import SENT, Outcome, Went

LONGEST_WAIT = 3600.0
"""Seconds to which a receiver's Retry-After is cut."""

_UNKNOWN = (502, 504)
"""Answers of something before the receiver: that may have taken the message."""


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Outcome:
    """Post a body; redirects are refused, since a signature and a key are for one receiver.

    Args:
        url: http or https.
        headers: of the request.
        body: sent as it is.
        timeout: seconds for all of it, however slowly the receiver drips.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    try:
        connection.connect()
    except OSError as fault:
        return Outcome(Went.REFUSED, f"no connection ({type(fault).__name__})")
    # A socket's own time-out is for each read: a receiver that drips would hold a sender for ever.
    limit = threading.Timer(timeout, _cut, (connection.sock,))
    limit.start()
    try:
        connection.request(
            "POST", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", body, dict(headers)
        )
        answer = connection.getresponse()
        status, after = answer.status, answer.headers.get("Retry-After")
    except (OSError, http.client.HTTPException) as fault:
        return Outcome(Went.UNKNOWN, f"no answer ({type(fault).__name__})")
    finally:
        limit.cancel()
        connection.close()
    if 200 <= status < 300:
        return SENT
    return Outcome(Went.UNKNOWN if status in _UNKNOWN else Went.REFUSED, f"answer {status}", retry_after(after))


def retry_after(said: str | None) -> float:
    """Give the seconds that a Retry-After asks for: a number, or a date; 0 for what is neither."""
    if not said:
        return 0.0
    with suppress(ValueError):
        return min(max(float(said), 0.0), LONGEST_WAIT)
    with suppress(ValueError, TypeError):
        date = email.utils.parsedate_to_datetime(said)
        wait = (date - datetime.datetime.now(datetime.UTC)).total_seconds()
        return min(max(wait, 0.0), LONGEST_WAIT)
    return 0.0


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
