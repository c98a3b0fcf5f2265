"""Every answer of the prediction API is one that its OpenAPI document tells of, and none is a defect.

EXAMPLES requests of each kind; HTTP_EXAMPLES in the environment asks for more.
"""

import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from automl_stream.local_stack.ports import LOOPBACK
from tests.stream_apps.predict.conftest import TOKEN, Asked

EXAMPLES = int(os.environ.get("HTTP_EXAMPLES", "30"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance]
SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


@pytest.mark.timeout(600)
def test_no_answer_is_undocumented(asked: Asked) -> None:
    asked.announce(1.0, -1)
    asked.open(AUTOML_STREAM_EXPLAIN_SECONDS="0")
    document = schemathesis.openapi.from_url(f"http://{LOOPBACK}:{asked.port}/docs/openapi.json")
    assert set(document) == {"/predict", "/healthz", "/readyz"}
    fit, misfit = (statuses(document, mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    assert fit[200]
    assert misfit.keys() & {400, 422}


def statuses(document: schemathesis.BaseSchema, mode: GenerationMode) -> Counter[int]:
    """How often each status was answered to requests that fit the document, or do not."""
    seen: Counter[int] = Counter()

    @given(case=document["/predict"]["POST"].as_strategy(mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=SLOW)
    def ask(case: Any) -> None:
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS)
        seen[answer.status_code] += 1

    ask()
    return seen
