"""Casting, rendering and validation of parameters against recorded cases (vectors/casts.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.exceptions import CastError, Invalid, ParamError
from st2common.expressions import datastore_namespace
from st2common.parameters import cast, final_parameters, request_parameters
from st2common.schema import SchemaViolation, check, resource_schema

DATA = json.loads((Path(__file__).parent / "vectors" / "casts.json").read_text("utf-8"))
FIXTURES = DATA["about"]["fixtures"]
STORE = {"st2kv.system": FIXTURES["st2kv.system"], "st2kv.user": FIXTURES["st2kv.user (stored name user:name)"]}
CONFIG = FIXTURES["config_context (when pack and user are both set)"]
ERRORS = {"ParamException": ParamError, "ValueError": CastError, "TypeError": CastError, "SyntaxError": CastError, "ValidationError": SchemaViolation}
UNCHANGED = "<no cast: value unchanged>"


def variables(vector: dict[str, Any]) -> dict[str, Any]:
    context = vector["action_context"]
    user = context.get("api_user") or context["user"]
    known = {
        "st2kv": datastore_namespace(lambda scope, name: STORE[scope].get(name), user=user),
        "action_context": context,
        "config_context": lambda: CONFIG if context.get("pack") and context.get("user") else {},
    }
    return known | ({"trigger": vector["trigger"]} if "trigger" in vector else {})


def outcome(vector: dict[str, Any]) -> Any:
    if vector["kind"] == "cast":
        return cast(vector["value"], vector["type"])
    if vector["kind"] == "schema":
        return check(vector["input"], resource_schema(vector["parameters"]))
    schemas = {"runner_parameters": vector["runner_parameters"], "action_parameters": vector["action_parameters"]}
    if vector["kind"] == "live":
        return request_parameters(**schemas, supplied=vector["params"], variables=variables(vector))
    assert vector["kind"] == "final"
    runner, action = final_parameters(**schemas, live=vector["params"], variables=variables(vector))
    return {"runner": runner, "action": action}


@pytest.mark.parametrize("vector", DATA["vectors"], ids=lambda vector: vector["id"])
def test_recorded_case(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(Invalid) as caught:
            outcome(vector)
        assert isinstance(caught.value, ERRORS[vector["error"]])
        if vector.get("error_message"):
            assert caught.value.message == vector["error_message"]
        return
    expected = vector["value"] if vector["expected"] == UNCHANGED else vector["expected"]
    result = outcome(vector)
    assert result == expected
    assert json.dumps(result, sort_keys=True) == json.dumps(expected, sort_keys=True), "same types too"
