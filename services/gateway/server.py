"""The gateway's HTTP server: the one of all services, which refuses with problems."""

import gc
import socket

from starlette.applications import Starlette

from schemas.fields import SECOND
from services.gateway.config import Limits
from services.gateway.problems import Problem
from services.serving import HEAD_BYTES, Bounds, Fault, Refusal
from services.serving import serve as serve_app


def refuse(fault: Fault) -> Refusal:
    """Give the problem of a connection that is closed before there is a request."""
    if fault == "busy":
        problem = Problem("busy", retry_after=1)
    elif fault == "too_slow":
        problem = Problem("too_slow")
    else:
        problem = Problem("bad_request", f"The headers have more than {HEAD_BYTES} bytes." * (fault == "too_long"))
    return Refusal(problem.status, problem.headers(), problem.body())


def serve(app: Starlette, listening: socket.socket, limits: Limits) -> None:
    """Serve until SIGTERM or SIGINT: then nothing more is accepted, and what is in hand is answered."""
    bounds = Bounds(limits.head_time / SECOND, limits.connections, refuse)
    # What is loaded by now lives as long as the process: nothing is gained by walking over it again and again.
    gc.collect()
    gc.freeze()
    try:
        serve_app(app, listening, bounds, idle=limits.idle_time / SECOND, stop=limits.stop_time / SECOND)
    finally:
        gc.unfreeze()
