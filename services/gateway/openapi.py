"""The gateway's OpenAPI document: what an event is follows from its class, the answers from the problems there are."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from schemas.events import WireEvent
from services.gateway.config import GatewayConfig
from services.gateway.gateway import Answer
from services.gateway.keys import HEADER
from services.gateway.problems import KINDS, MEDIA_TYPE, URN
from services.gateway.shop import JSON, NDJSON

Json = dict[str, Any]
_BODY = ("malformed", "too_deep", "bad_encoding", "bad_request", "unproved", "too_slow", "too_large",
         "too_many_events", "unknown_encoding", "too_fast", "failed", "busy", "full")  # fmt: skip
_RETRY = {"retry-after": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}


def describe(senders: Sequence[str], config: GatewayConfig) -> Json:
    """Describe what this gateway answers.

    Args:
        senders: names of its senders.
        config: its configuration.
    """
    _, schemas = msgspec.json.schema_components([WireEvent, Answer], ref_template="#/components/schemas/{name}")
    status = {JSON: {"schema": _STATUS}}
    paths: Json = {
        "/healthz": {"get": _asked("healthz", "Whether it runs.", status)},
        "/readyz": {"get": _asked("readyz", "Whether it can take anything.", status, ("full",))},
        "/metrics": {"get": _asked("metrics", "What it counts, for Prometheus.", {"text/plain": {"schema": {}}})},
        "/openapi.json": {"get": _asked("openapi", "This document.", {JSON: {"schema": {"type": "object"}}})},
    }
    if senders:
        paths["/webhooks/{sender}"] = {"post": _webhook(senders)}
    if config.events is not None:
        paths["/events"] = {"post": _events(config.limits.events)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Milepost gateway",
            "version": version("milepost"),
            "description": "Takes what carriers and the shop tell of parcels. What is answered 200 is durable.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas | {"Problem": _PROBLEM},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": HEADER}},
        },
    }


def _webhook(senders: Sequence[str]) -> Json:
    return {
        "operationId": "webhook",
        "summary": "A sender's webhook, in the sender's own shape and with its own proof.",
        "parameters": [
            {"name": "sender", "in": "path", "required": True, "schema": {"type": "string", "enum": list(senders)}}
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": {}}}},
        "responses": _taken((*_BODY, "keys_away", "unknown_sender", "not_found", "wrong_method")),
    }


def _events(most: int) -> Json:
    event = {"$ref": "#/components/schemas/WireEvent"}
    one_or_more = {"anyOf": [event, {"type": "array", "items": event, "maxItems": most}]}
    content: Json = {JSON: {"schema": one_or_more}}
    content |= {name: {"schema": {"type": "string"}} for name in NDJSON}
    return {
        "operationId": "events",
        "summary": "Events of the shop's own systems, all of a body or none.",
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": content},
        "responses": _taken((*_BODY, "wrong_method", "unknown_media_type", "invalid_events")),
    }


def _asked(name: str, summary: str, content: Json, problems: Iterable[str] = ()) -> Json:
    answers = {"200": {"description": "It does.", "content": content}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": answers | _refused((*problems, "bad_request", "wrong_method", "failed")),
    }


def _taken(problems: Iterable[str]) -> Json:
    answer = {JSON: {"schema": {"$ref": "#/components/schemas/Answer"}}}
    return {"200": {"description": "Taken, and durable.", "content": answer}} | _refused(problems)


def _refused(problems: Iterable[str]) -> Json:
    """Give the answers of problems, those of one status together."""
    answers: Json = {}
    for name in problems:
        status, title = KINDS[name]
        known = answers.setdefault(str(status), {"description": "", "content": _CONTENT})
        known["description"] = f"{known['description']} {name}: {title}".strip()
        if status in (429, 503):
            known["headers"] = _RETRY
    return answers


_STATUS: Json = {"type": "object", "properties": {"status": {"const": "ok"}}, "required": ["status"]}
_CONTENT: Json = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"enum": [URN + name for name in KINDS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Events that cannot be taken.",
            "items": {
                "type": "object",
                "required": ["index", "reason", "detail"],
                "properties": {
                    "index": {"type": "integer", "minimum": 0},
                    "reason": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
