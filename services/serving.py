"""The HTTP server of all services: uvicorn, with limits on connections, and on how long and how large a head may be.

uvicorn bounds the silence between two requests. How many clients there are, and whether one sends its headers a byte at
a time, is left to the protocol, which is this one.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipelines.errors import UsageError
from services.signals import on_end

HEAD_BYTES = 32 * 1024
"""Bytes that the line and the headers of a request may have."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

Fault = Literal["busy", "too_slow", "too_long", "no_http"]
"""Why a connection is closed before there is a request: too many others, or what is wrong with its head."""


class Refusal(NamedTuple):
    """The answer to a connection that is closed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Bounds(NamedTuple):
    """What connections may do.

    Attributes:
        seconds: for the line and the headers of a request.
        most: connections at a time.
        refuse: gives the answer to one that does more.
    """

    seconds: float
    most: int
    refuse: Callable[[Fault], Refusal]


class _Bounded(HttpToolsProtocol):
    """Closes a connection whose next request does not get to the end of its headers in time, or is too long there."""

    bounds: ClassVar[Bounds]
    _limit: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()
        if len(self.connections) > self.bounds.most:
            self._refuse("busy")

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._limit is None and (self.cycle is None or self.cycle.response_complete):
            self._begin()
        super().data_received(data)
        if self._limit is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._refuse("too_long")

    def on_headers_complete(self) -> None:
        self._done()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse("no_http")

    def _begin(self) -> None:
        self._head = 0
        self._limit = self.loop.call_later(self.bounds.seconds, self._refuse, "too_slow")

    def _done(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _refuse(self, fault: Fault) -> None:
        self._done()
        status, headers, body = self.bounds.refuse(fault)
        headers = {**headers, "content-length": str(len(body)), "connection": "close"}
        head = [f"HTTP/1.1 {status} ", *(f"\r\n{name}: {value}" for name, value in headers.items()), "\r\n\r\n"]
        self.transport.write("".join(head).encode() + body)
        self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address; an IPv6 one may stand in brackets.

    Raises:
        UsageError: that cannot be.
    """
    bare = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in bare else socket.AF_INET
        return socket.create_server((bare, port), family=family, backlog=BACKLOG)
    except OSError as fault:
        raise UsageError(f"Nothing can listen at {host}:{port}: {fault.strerror or fault}.") from fault


def serve(
    app: Any,  # noqa: ANN401
    listening: socket.socket,
    bounds: Bounds,
    *,
    idle: float,
    stop: float,
    server: Callable[[uvicorn.Config], uvicorn.Server] = uvicorn.Server,
) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in hand is answered.

    Args:
        app: the ASGI application.
        listening: where.
        bounds: what connections may do.
        idle: seconds between two requests of one connection.
        stop: seconds for what is in hand at the end.
        server: makes the server.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=type("Bounded", (_Bounded,), {"bounds": bounds}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=int(idle),
        timeout_graceful_shutdown=int(stop),
    )
    # uvicorn raises a signal once more when it has ended because of it; that is then no reason to die of it.
    with on_end(_pass):
        server(config).run(sockets=[listening])


def _pass() -> None:
    """Do nothing."""
