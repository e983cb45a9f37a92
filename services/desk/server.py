"""The HTTP server: uvicorn, which tells live pages to come back later before it ends."""

import signal
import socket

import uvicorn

from services.desk.app import Site

SPARE = 256
"""Connections beyond those of live pages."""


class _Server(uvicorn.Server):
    """Ends the streams first: it would wait for them."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self.site = site

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.site.listeners.close()
        await super().shutdown(sockets)


def serve(site: Site, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in hand is answered."""
    config = uvicorn.Config(
        site.app,
        loop="uvloop",
        # This one bounds the head of a request.
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=site.listeners.most + SPARE,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    # uvicorn raises a signal once more when it has ended because of it; that is then no reason to die of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)
    _Server(config, site).run(sockets=[listening])
