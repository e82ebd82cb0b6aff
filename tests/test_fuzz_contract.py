"""Schemathesis on the served OpenAPI document: whatever it thinks of, the answer is one that stands there.

It sends what fits the document and what does not, at every operation: never a 5xx, and never a record of
something invalid. An operation gets a twentieth of ``FUZZ_EXAMPLES`` requests.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.checks import not_a_server_error as _not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from tests.consumer_schemas import assert_is_dead_letter, assert_is_envelope
from tests.fuzzing import HEARD, fresh_door

CHECKS: list[CheckFunction] = [
    _not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


DOOR = fresh_door()
CONTRACT = schemathesis.openapi.from_wsgi("/openapi.json", DOOR.gateway.application)
OPERATIONS = [found.ok() for found in CONTRACT.get_all_operations() if isinstance(found, Ok)]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "300")) // 20,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def silence() -> None:
    """Forget what other tests have made the gateway log."""
    HEARD.faults()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@fuzzed
@given(data=st.data())
def test_every_answer_stands_in_the_document(
    operation: APIOperation[Any, Any, Any, Any], data: st.DataObject
) -> None:
    mode = data.draw(st.sampled_from(MODES))
    case = data.draw(operation.as_strategy(generation_mode=mode))
    DOOR.publisher.forget()
    answer = case.call()
    case.validate_response(answer, checks=CHECKS)
    assert HEARD.faults() == []
    assert DOOR.published == [] or answer.status_code == 202
    for record in DOOR.published:
        assert_is_envelope(record.value)
    for record in DOOR.dead_letters:
        assert_is_dead_letter(record.value)
