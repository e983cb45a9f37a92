"""A loop written by hand: takes bodies over HTTP, writes them down in groups, and answers once the disk has them.

It proves nobody, reads nothing of a body and limits nothing: what is left of a gateway without all that.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import httptools
import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"


class Loop:
    """All connections, and the file that their bodies go to."""

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.waiting: list[tuple[bytes, asyncio.Transport]] = []
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Write group after group."""
        loop = asyncio.get_running_loop()
        while True:
            await self.wake.wait()
            self.wake.clear()
            group, self.waiting = self.waiting, []
            await loop.run_in_executor(None, self.write, b"\n".join([body for body, _ in group]) + b"\n")
            for _, transport in group:
                transport.write(ANSWER)

    def write(self, group: bytes) -> None:
        """Write a group, and wait for the disk."""
        os.write(self.file, group)
        os.fdatasync(self.file)


class Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, loop: Loop) -> None:
        """Take where bodies go."""
        self.loop = loop
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take a piece."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Let a body be written."""
        self.loop.waiting.append((self.body, self.transport))
        self.body = b""
        self.loop.wake.set()


async def _serve(path: Path) -> None:
    loop = Loop(path)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    await asyncio.get_running_loop().create_server(lambda: Connection(loop), sock=listening)
    print(json.dumps({"port": listening.getsockname()[1]}), file=sys.stderr, flush=True)
    await loop.run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1])))
