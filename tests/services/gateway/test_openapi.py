"""The OpenAPI document, asked by Schemathesis: whatever comes, the gateway answers as it says, and never by a fault."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.gateway.problems import KINDS
from tests.services.gateway.conftest import KEY
from tests.services.gateway.processes import Process

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 100
"""Requests of each kind to each door."""


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """A gateway."""
    folder = tmp_path_factory.mktemp("gateway")
    fast = "[limits]\nbody_time = '2 s'\n"
    with Process(folder, f"spool://{folder}/spool", more=fast) as running:
        yield running


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        *((door, mode) for door in ("POST /events", "POST /webhooks/{sender}") for mode in GenerationMode),
        *((f"GET /{name}", GenerationMode.POSITIVE) for name in ("healthz", "readyz", "metrics", "openapi.json")),
    ],
)
def test_it_answers_as_it_says(process, operation, mode):
    method, path = operation.split()
    asked = schemathesis.openapi.from_url(f"{process.url}/openapi.json")[path][method]
    answers = Counter()

    @given(case=asked.as_strategy(mode))
    @settings(max_examples=EXAMPLES if method == "POST" else 5, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def ask(case):
        answer = case.call(headers={"x-api-key": KEY})
        answers[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    print(operation, mode.value, dict(answers))
    assert answers and not [status for status in answers if status >= 500]
    assert process.process.poll() is None and "failed" not in process.said()


def test_the_document_names_every_problem(gateway):
    said = gateway.client.get("/openapi.json").text
    assert all(name in said for name in KINDS)
