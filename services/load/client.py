"""A small HTTP/1.1 client for many short requests: the generator must not be what is slow.

General clients spend as much on a request as the gateway does; this one writes bytes and parses answers with httptools.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import httptools


class Lost(ConnectionError):
    """A request without an answer: there was no connection, it ended, or the answer took too long."""


class Connection(asyncio.Protocol):
    """One connection to one server, opened when it is needed; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        """Take where the server is."""
        self.host, self.port = host, port
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._answer: asyncio.Future[int] | None = None

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, patience: float) -> int:
        """Send a request; give the answer's status.

        Args:
            path: with its query.
            headers: besides Host and Content-Length.
            body: as it is sent.
            patience: seconds until an answer must be there.

        Raises:
            Lost: there was none.
        """
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nhost: {self.host}\r\n{said}content-length: {len(body)}\r\n\r\n"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                if self._transport is None:
                    await loop.create_connection(lambda: self, self.host, self.port)
                assert self._transport is not None
                self._answer = loop.create_future()
                self._transport.write(head.encode("latin-1") + body)
                return await self._answer
        except (OSError, TimeoutError) as fault:
            self.close()
            raise Lost(str(fault) or "no answer in time") from fault

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """Hand over the answer's status."""
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that no answer will come."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the connection ended"))
