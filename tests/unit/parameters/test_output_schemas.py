"""Results against output schemas."""

from __future__ import annotations

from typing import Any

import pytest

from st2common.parameters import mask_result, validate_output

RUNNER = {
    "type": "object",
    "properties": {"result": {}, "exit_code": {"type": "integer", "required": True}},
    "additionalProperties": False,
}
ACTION = {"type": "object", "properties": {"name": {"type": "string", "required": True}, "count": {"type": "integer"}}, "additionalProperties": False}
MESSAGE = "Error validating output. See error output for more details."


@pytest.mark.parametrize(
    ("result", "action", "key"),
    [
        ({"result": {"name": "n", "count": 1}, "exit_code": 0}, ACTION, "result"),
        ({"result": "anything", "exit_code": 0}, {"name": {"type": "string"}}, "result"),
        ({"result": "anything", "exit_code": 0}, {}, "result"),
        ({"result": "anything", "exit_code": 0}, ACTION, None),
        ({}, ACTION, "result"),
    ],
)
def test_good_results(result: Any, action: Any, key: str | None) -> None:
    assert validate_output(result, RUNNER, action, key) is None


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"result": {}, "exit_code": 0}, "'name' is a required property\n\nFailed validating 'required' in schema"),
        ({"result": {"name": 5}, "exit_code": 0}, "5 is not of type 'string'\n\nFailed validating 'type' in schema['properties']['name']:"),
        ({"result": {"name": "n", "other": 1}, "exit_code": 0}, "Additional properties are not allowed ('other' was unexpected)\n\nFailed"),
        ({"result": {"name": "n", "count": None}, "exit_code": 0}, "None is not of type 'integer'\n\nFailed"),
        ({"result": {"name": "n"}}, "'exit_code' is a required property\n\nFailed"),
    ],
)
def test_violations_replace_the_result(result: Any, error: str) -> None:
    failure = validate_output(result, RUNNER, ACTION, "result")
    assert failure is not None
    assert failure["error"].startswith(error)
    assert {key: value for key, value in failure.items() if key != "error"} == {"message": MESSAGE}


@pytest.mark.parametrize(
    ("action", "key", "error"),
    [(ACTION, "output", "'output'"), ({"type": "object", "required": ["x"]}, "result", "['x'] is not of type 'boolean'")],
)
def test_other_failures_come_with_a_traceback(action: Any, key: str, error: str) -> None:
    failure = validate_output({"result": {}, "exit_code": 0}, RUNNER, action, key)
    assert failure is not None
    assert (failure["error"], failure["message"]) == (error, MESSAGE)
    assert "File " in failure["traceback"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"key": {"type": "string", "secret": True}}},
        {"key": {"type": "string", "secret": True}},
        {"type": {"type": "string"}, "key": {"type": "string", "secret": True}},
        {"type": "object", "patternProperties": {"^k": {"secret": True}}},
        {"type": "object", "properties": {"name": {}}, "additionalProperties": {"secret": True}},
    ],
)
def test_masking_of_outputs(schema: Any) -> None:
    result = {"stdout": "", "result": {"name": "n", "key": "s3cr3t"}}
    assert mask_result(result, schema, "result") == {"stdout": "", "result": {"name": "n", "key": "********"}}
    assert result["result"]["key"] == "s3cr3t"


@pytest.mark.parametrize(
    ("result", "schema", "key"),
    [("text", ACTION, "result"), ({"a": 1}, ACTION, "result"), ({"result": 1}, {}, "result"), ({"result": 1}, ACTION, None)],
)
def test_nothing_to_mask(result: Any, schema: Any, key: str | None) -> None:
    assert mask_result(result, schema, key) == result
