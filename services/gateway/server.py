"""The HTTP server: uvicorn, with limits on connections, and on how long and how large the head of a request may be.

uvicorn bounds the silence between two requests. How many clients there are, and whether one sends its headers a byte at
a time, is left to the protocol, which is this one.
"""

import asyncio
import gc
import signal
import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from schemas.fields import SECOND
from services.gateway.config import Limits
from services.gateway.problems import Problem

HEAD_BYTES = 32 * 1024
"""Bytes that the line and the headers of a request may have."""


def impatient(limits: Limits) -> type[asyncio.Protocol]:
    """Give uvicorn's protocol with the limits of a configuration."""
    return type("Impatient", (_Impatient,), {"seconds": limits.head_time / SECOND, "most": limits.connections})


class _Impatient(HttpToolsProtocol):
    """Closes a connection whose next request does not get to the end of its headers in time, or is too long there."""

    seconds = 5.0
    most = 768
    _limit: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()
        if len(self.connections) > self.most:
            self._refuse(Problem("busy", retry_after=1, close=True))

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
                self._refuse(Problem("bad_request", f"The headers have more than {HEAD_BYTES} bytes.", close=True))

    def on_headers_complete(self) -> None:
        self._done()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem("bad_request", close=True))

    def _begin(self) -> None:
        self._head = 0
        self._limit = self.loop.call_later(self.seconds, self._refuse, Problem("too_slow", close=True))

    def _done(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _refuse(self, problem: Problem) -> None:
        self._done()
        body = problem.body()
        headers = problem.headers() | {"content-length": str(len(body))}
        head = [f"HTTP/1.1 {problem.status} ", *(f"\r\n{name}: {value}" for name, value in headers.items()), "\r\n\r\n"]
        self.transport.write("".join(head).encode() + body)
        self.transport.close()


def serve(app: Starlette, listening: socket.socket, limits: Limits) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in hand is answered."""
    settings: dict[str, Any] = {
        "loop": "uvloop",
        "http": impatient(limits),
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": int(limits.idle_time / SECOND),
        "timeout_graceful_shutdown": int(limits.stop_time / SECOND),
    }
    # What is loaded by now lives as long as the process: nothing is gained by walking over it again and again.
    gc.collect()
    gc.freeze()
    # uvicorn raises a signal once more when it has ended because of it; that is then no reason to die of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    try:
        uvicorn.Server(uvicorn.Config(app, **settings)).run(sockets=[listening])
    finally:
        gc.unfreeze()
