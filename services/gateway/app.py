"""The gateway's HTTP: a thin shell that reads requests, hands them to the gateway, and writes answers."""

import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.fields import SECOND
from services.gateway.bodies import read_body
from services.gateway.gateway import EVENTS, Answer, Gateway
from services.gateway.openapi import describe
from services.gateway.problems import Problem

_JSON = "application/json"
_ENCODER = msgspec.json.Encoder()
_NOBODY = "nobody"
"""Where requests of senders that there are not are counted: a label is never made of what a stranger writes."""

GONE = 499
"""What a request is counted as whose client went away before it was answered."""

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def make_app(gateway: Gateway, lifespan: Lifespan | None = None) -> Starlette:
    """Make the application."""
    doors = _Doors(gateway)
    about = describe(sorted(gateway.doors), gateway.config)
    routes = [
        Route("/webhooks/{sender}", doors.webhook, methods=["POST"]),
        Route("/events", doors.events, methods=["POST"]),
        Route("/healthz", doors.health, methods=["GET"]),
        Route("/readyz", doors.ready, methods=["GET"]),
        Route("/metrics", doors.metrics, methods=["GET"]),
        Route("/openapi.json", _constant(_ENCODER.encode(about)), methods=["GET"]),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_problem, Problem: _problem, Exception: _failed},
    )


class _Doors:
    """What each address does."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        limits = gateway.config.limits
        self.largest, self.seconds = limits.body, limits.body_time / SECOND

    async def webhook(self, request: Request) -> Response:
        name = request.path_params["sender"]

        async def take() -> Answer:
            self.gateway.door(name)
            headers = _headers(request)
            body = await read_body(headers, request.stream(), self.largest, self.seconds)
            return await self.gateway.webhook(name, headers, dict(request.query_params), body)

        return await self._answer(name if name in self.gateway.doors else _NOBODY, take)

    async def events(self, request: Request) -> Response:
        async def take() -> Answer:
            headers = _headers(request)
            self.gateway.prove_shop(headers)
            body = await read_body(headers, request.stream(), self.largest, self.seconds)
            return await self.gateway.events(headers, body)

        return await self._answer(EVENTS, take)

    async def _answer(self, name: str, take: Callable[[], Awaitable[Answer]]) -> Response:
        """Answer a delivery: 200, since some senders take nothing else for success; count it by how it went."""
        began = time.perf_counter()
        metrics = self.gateway.metrics
        status = GONE
        try:
            with self.gateway.in_hand():
                answer = await take()
            status = 200
            return Response(_ENCODER.encode(answer), media_type=_JSON)
        except Problem as problem:
            status = problem.status
            metrics.problems.labels(name, problem.name).inc()
            return _response(problem)
        except ClientDisconnect:
            # Nobody is left to read an answer.
            return Response(status_code=400)
        except Exception as fault:
            # Said by its name alone and now and then: its text may repeat a body, and a body comes again and again.
            status = 500
            self.gateway.seldom.say("failed", sender=name, why=_where(fault))
            return _response(Problem("failed"))
        finally:
            metrics.requests.labels(name, str(status)).inc()
            metrics.seconds.labels(name).observe(time.perf_counter() - began)

    async def health(self, request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def ready(self, request: Request) -> Response:
        self.gateway.check_room()
        return Response(b'{"status":"ok"}', media_type=_JSON)

    async def metrics(self, request: Request) -> Response:
        return Response(generate_latest(self.gateway.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})


def _headers(request: Request) -> dict[str, str]:
    """Give the headers, names in lower case; a token may have any letters, and none is a reason to fail."""
    return {
        name.decode("latin-1"): value.decode("utf-8", "surrogateescape") for name, value in request.scope["headers"]
    }


def _where(fault: BaseException) -> str:
    """Give what a fault is and the line of code it came from."""
    last = traceback.extract_tb(fault.__traceback__)[-1]
    return f"{type(fault).__name__} at {Path(last.filename).name}:{last.lineno}"


def _constant(body: bytes) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return Response(body, media_type=_JSON)

    return answer


def _response(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers())


async def _problem(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Problem)
    return _response(fault)


async def _http_problem(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    name = {404: "not_found", 405: "wrong_method"}.get(fault.status_code, "bad_request")
    answer = _response(Problem(name))
    answer.headers.update(dict(fault.headers or {}))
    return answer


async def _failed(request: Request, fault: Exception) -> Response:
    return _response(Problem("failed"))
