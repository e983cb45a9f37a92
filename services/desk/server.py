"""The desk's HTTP server: the one of all services, which tells live pages to come back later before it ends."""

import socket
from collections.abc import Mapping
from functools import partial

import uvicorn

from services.desk.app import Site
from services.desk.problems import Problem
from services.serving import Bounds, Fault, Refusal
from services.serving import serve as serve_app

SPARE = 256
"""Connections beyond those of live pages."""

_FAULTS: Mapping[Fault, Problem] = {
    "busy": Problem(503, "Too many people are here just now.", 1),
    "too_slow": Problem(408, "The request took too long to come."),
    "too_long": Problem(400, "The request is too long."),
    "no_http": Problem(400, "That is no request."),
}


class _Server(uvicorn.Server):
    """Ends the streams first: it would wait for them."""

    def __init__(self, site: Site, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.site = site

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.site.listeners.close()
        await super().shutdown(sockets)


def refuse(fault: Fault) -> Refusal:
    """Give what is said to a connection that is closed before there is a request."""
    problem = _FAULTS[fault]
    headers = {"content-type": "text/plain; charset=utf-8", **problem.headers()}
    return Refusal(problem.status, headers, f"{problem.sentence}\n".encode())


def serve(site: Site, listening: socket.socket, seconds: float) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in hand is answered.

    Args:
        site: what is served.
        listening: where.
        seconds: in which the line and the headers of a request must come.
    """
    bounds = Bounds(seconds, site.listeners.most + SPARE, refuse)
    serve_app(site.app, listening, bounds, idle=30, stop=10, server=partial(_Server, site))
