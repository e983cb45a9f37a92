"""The desk's HTTP: addresses, what every answer carries, and what is said where there is no page."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.fields import SECOND
from services.desk.config import DeskConfig
from services.desk.desk import Desk
from services.desk.listeners import Listeners, Timing
from services.desk.metrics import Metrics
from services.desk.pages import STATIC, Pages
from services.desk.people import People
from services.desk.problems import Problem
from services.desk.sign_in import SignIn
from services.desk.source import Source, SourceError
from services.desk.tracking import Tracking
from services.tokens import Links

LOG = logging.getLogger("milepost.desk")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_AWAY = "The data cannot be read at the moment. Please come back in a minute."


class Site:
    """The desk and the customers' page with all they need.

    Attributes:
        app: the application.
        listeners: the pages that are live.
    """

    def __init__(self, source: Source, config: DeskConfig, people: People, *, local: bool) -> None:
        """Take where it reads, the configuration, who may come, and whether it is for this machine alone.

        Raises:
            UsageError: a secret is not set, or too short.
        """
        self.source = source
        self.metrics = metrics = Metrics()
        self.pages = pages = Pages()
        limits = config.limits
        timing = Timing(limits.poll / SECOND, limits.heartbeat / SECOND, limits.stream / SECOND)
        self.listeners = Listeners(source, timing, limits.streams, limits.streams_of_one, metrics.away.inc)
        metrics.live.set_function(lambda: len(self.listeners))
        desk = Desk(source, limits, people, self.listeners, pages, metrics)
        sign_in = SignIn(people, limits.body_time / SECOND, pages, metrics)
        routes = [
            Route("/", desk.queue, methods=["GET"], name="queue"),
            Route("/alerts.csv", desk.file, methods=["GET"], name="csv"),
            Route("/order", desk.order, methods=["GET"], name="order"),
            Route("/act", desk.act, methods=["POST"], name="act"),
            Route("/live", desk.live, methods=["GET"], name="live"),
            Route("/static/{name}", _static, methods=["GET"], name="static"),
            Route("/healthz", self._health, methods=["GET"], name="health"),
            Route("/readyz", self._ready, methods=["GET"], name="ready"),
            Route("/metrics", self._metrics, methods=["GET"], name="metrics"),
        ]
        if people.header is None:
            routes += [
                Route("/sign-in", sign_in.show, methods=["GET"], name="sign_in"),
                Route("/sign-in", sign_in.sign_in, methods=["POST"], name="sign_in"),
                Route("/sign-out", sign_in.sign_out, methods=["POST"], name="sign_out"),
            ]
        if config.track is not None:
            tokens = Links(config.track).tokens
            track = Tracking(source, config.track, tokens, people, self.listeners, pages, metrics)
            # A tracking number may have any letters, a slash among them.
            routes += [
                Route("/track/{tracking_number:path}", track.show, methods=["GET"], name="track"),
                Route("/track-live/{tracking_number:path}", track.live, methods=["GET"], name="track_live"),
            ]
        inner = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={
                HTTPException: self._http_problem,
                Problem: self._problem,
                SourceError: self._away,
                Exception: self._failed,
            },
        )
        self.app = Wrapped(inner, metrics, local=local)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._poller = asyncio.create_task(self.listeners.poll())
        self._poller.add_done_callback(_say_fault)
        try:
            yield
        finally:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
            self.source.close()

    async def _health(self, request: Request) -> Response:
        # A poller that ended by a fault of its own leaves pages that look live and are not: begin anew.
        ended = self._poller.done()
        return Response(b"not live\n" if ended else b"ok\n", 503 if ended else 200, media_type="text/plain")

    async def _ready(self, request: Request) -> Response:
        await run_in_threadpool(self.source.queue_mark)
        return Response(b"ok\n", media_type="text/plain")

    async def _metrics(self, request: Request) -> Response:
        return Response(generate_latest(self.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    def _say(self, problem: Problem) -> Response:
        response = self.pages.show("problem", problem.status, title=problem.title, sentence=problem.sentence)
        response.headers.update(problem.headers())
        return response

    async def _problem(self, request: Request, fault: Exception) -> Response:
        assert isinstance(fault, Problem)
        return self._say(fault)

    async def _http_problem(self, request: Request, fault: Exception) -> Response:
        assert isinstance(fault, HTTPException)
        said = {404: "There is no such page.", 405: "This address does not take that."}
        response = self._say(Problem(fault.status_code, said.get(fault.status_code, "That cannot be read.")))
        response.headers.update(dict(fault.headers or {}))
        return response

    async def _away(self, request: Request, fault: Exception) -> Response:
        self.metrics.away.inc()
        return self._say(Problem(503, _AWAY, 10))

    async def _failed(self, request: Request, fault: Exception) -> Response:
        return self._say(Problem(500, "That did not work, and it is not your fault."))


class Wrapped:
    """The application, with what every answer carries; counts how it went."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, local: bool) -> None:
        """Take the application, where it is counted, and whether it answers to this machine's own names alone."""
        self.app = app
        self.metrics = metrics
        self.local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            # Else a page of anybody's, whose name leads here, could read the desk with its reader's browser.
            if self.local and _host(scope) not in LOOPBACK:
                await Response("This desk answers to localhost alone.\n", 421)(scope, receive, answer)
            else:
                await self.app(scope, receive, answer)
        except ClientDisconnect:
            status = 499
        except Exception as fault:
            _say(fault)
        finally:
            # By the route's own name: a label is never made of what a stranger writes.
            page = getattr(scope.get("route"), "name", "none")
            self.metrics.requests.labels(page, str(status)).inc()
            if not page.endswith("live"):
                self.metrics.seconds.labels(page).observe(time.perf_counter() - began)


def _say_fault(task: asyncio.Task[None]) -> None:
    fault = None if task.cancelled() else task.exception()
    if fault is not None:
        _say(fault)


def _say(fault: BaseException) -> None:
    """Say a fault by its name and place alone: its text may repeat what somebody sent."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    LOG.error({"event": "failed", "why": f"{type(fault).__name__} at {Path(last.filename).name}:{last.lineno}"})


async def _static(request: Request) -> Response:
    found = STATIC.get(request.path_params["name"])
    if found is None:
        raise Problem(404, "There is no such page.")
    return Response(found[0], media_type=found[1], headers={"cache-control": "public, max-age=31536000, immutable"})


def _host(scope: Scope) -> str:
    said = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    return said if said.endswith("]") else said.rpartition(":")[0] or said
