"""Every answer of the ingestion API is one that its OpenAPI document tells of, and none is a defect.

HTTP_EXAMPLES in the environment asks for more requests of each route.
"""

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from automl_stream.local_stack.ports import LOOPBACK
from producers.api.routes import ROUTES
from tests.producers.api.conftest import TOKENS, Ingestion

EXAMPLES = int(os.environ.get("HTTP_EXAMPLES", "15"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance, negative_data_rejection]


@schemathesis.serializer("application/x-ndjson", "text/csv")
def as_text(_: Any, value: Any) -> bytes:
    """These bodies are text to the document."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogatepass")


@pytest.fixture(scope="module")
def document(ingestion: Ingestion) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"http://{LOOPBACK}:{ingestion.port}/docs/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", ROUTES)
def test_no_answer_is_undocumented(document: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> None:
    @given(case=document[path]["POST"].as_strategy(mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[
        HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])
    def asked(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKENS['till']}"}, checks=CHECKS)

    asked()


def test_the_document_tells_of_every_route(document: schemathesis.BaseSchema) -> None:
    assert set(document) == {*ROUTES, "/healthz", "/readyz"}
