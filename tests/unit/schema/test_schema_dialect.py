"""Validation in the product's dialect beyond the recorded cases."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.schema import InvalidSchema, SchemaViolation, check, compile_schema, resource_schema, validate_parameter_schema, with_defaults

CREDENTIALS = resource_schema(
    {
        "user": {"type": "string"},
        "password": {"type": "string", "secret": True, "minLength": 20},
        "nested": {"type": "object", "minProperties": 3, "properties": {"token": {"type": "string", "secret": True}}},
    }
)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "object", "required": ["x"]}, "['x'] is not of type 'boolean'"),
        ({"foo": 1}, "Additional properties are not allowed ('foo' was unexpected)"),
        ({"format": "email"}, "Additional properties are not allowed ('format' was unexpected)"),
        ({"type": ["string", "null"]}, "['string', 'null'] is not one of ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']"),
        ({"properties": {"x": {"foo": 1}}}, "Additional properties are not allowed ('foo' was unexpected)"),
        ({"position": -1}, "-1 is less than the minimum of 0"),
        ({"secret": "yes"}, "'yes' is not of type 'boolean'"),
        ({"pattern": "("}, "'(' is not a 'regex'"),
        ({"patternProperties": {"(": {}}}, "'(' is not a 'regex'"),
        ("string", "'string' is not of type 'object'"),
    ],
)
def test_parameter_schemas_that_are_refused(schema: Any, message: str) -> None:
    with pytest.raises(InvalidSchema) as caught:
        validate_parameter_schema("p", schema)
    assert caught.value.message == message


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "secret": True, "immutable": False, "position": 0, "required": True, "default": None},
        {"type": "object", "properties": {"x": {"type": ["string", "null"], "format": "email"}}},
        {"$ref": "#/definitions/x"},
        {"type": "array", "items": [{"type": "string"}, {}], "additionalItems": False},
    ],
)
def test_parameter_schemas_that_are_fine(schema: Any) -> None:
    validate_parameter_schema("p", schema)


def test_the_best_error_is_the_shallowest() -> None:
    schema = resource_schema({"a": {"type": "string", "required": True}})
    with pytest.raises(SchemaViolation) as caught:
        check({"b": 1}, schema)
    assert caught.value.message == "Additional properties are not allowed ('b' was unexpected)"


def test_path_and_long_text() -> None:
    with pytest.raises(SchemaViolation) as caught:
        check({"a": [1, "x"]}, resource_schema({"a": {"type": "array", "items": {"type": "integer"}}}))
    assert caught.value.path == "a.1"
    assert caught.value.long_text.startswith("'x' is not of type 'integer'\n\nFailed validating 'type' in schema['properties']['a']['items']:")
    assert caught.value.long_text.endswith("On instance['a'][1]:\n    'x'")


def test_secret_values_stay_out_of_messages() -> None:
    for instance in ({"password": "hunter2"}, {"password": 12345678}, {"nested": {"token": "hunter2"}}, {"nested": {"token": "hunter2", "x": 1}}):
        with pytest.raises(SchemaViolation) as caught:
            check(instance, CREDENTIALS)
        for text in (caught.value.message, caught.value.long_text):
            assert "hunter2" not in text
            assert "12345678" not in text
            assert "********" in text


def test_secrets_of_siblings_stay_out_of_the_long_text() -> None:
    with pytest.raises(SchemaViolation) as caught:
        check({"password": "hunter2", "zzz": 1}, CREDENTIALS)
    assert "zzz" in caught.value.long_text
    assert "hunter2" not in caught.value.long_text


def test_references_resolve_inside_the_schema_and_nowhere_else() -> None:
    inside = {"type": "object", "properties": {"a": {"$ref": "#/definitions/p"}}, "definitions": {"p": {"type": "integer"}}}
    assert check({"a": 1}, inside) == {"a": 1}
    with pytest.raises(SchemaViolation):
        check({"a": "x"}, inside)
    for reference in ("http://127.0.0.1:9/schema", "#/definitions/nope"):
        with pytest.raises(InvalidSchema):
            check({"a": 1}, {"type": "object", "properties": {"a": {"$ref": reference}}})
    with pytest.raises(InvalidSchema):
        check(1, {"$ref": "#"})


def test_null_needs_both_filling_and_permission() -> None:
    schema = resource_schema({"a": {"type": "string"}})
    assert check({"a": None}, schema) == {"a": None}
    for options in ({"null_for_optional": False}, {"fill_defaults": False}):
        with pytest.raises(SchemaViolation):
            check({"a": None}, schema, **options)


def test_defaults_wait_for_their_dependencies() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}, "c": {"type": "string", "default": "y"}},
        "dependencies": {"a": ["b"], "c": ["a"]},
    }
    assert with_defaults({}, schema) == {"c": "y"}
    assert with_defaults({"b": "z"}, schema) == {"a": "x", "b": "z", "c": "y"}


def test_defaults_are_copies() -> None:
    schema = resource_schema({"a": {"type": "array", "default": []}})
    check({}, schema)["a"].append(1)
    assert check({}, schema) == {"a": []}


def test_validators_are_kept_by_content() -> None:
    assert compile_schema({"type": "string"}) is compile_schema({"type": "string"})
    assert compile_schema({"enum": [1]}) is not compile_schema({"enum": [True]})
    assert compile_schema({"maximum": 2**70}).check(2**69) == 2**69


def test_a_schema_changed_later_is_another_schema() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    check({"a": "x"}, schema)
    schema["properties"]["a"]["type"] = "integer"
    assert check({"a": 1}, schema) == {"a": 1}


NAMES = st.sampled_from(["a", "b", "c"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer"])}, optional={"default": st.sampled_from(["x", 1, None])}),
    lambda below: st.dictionaries(NAMES, below, max_size=3).map(lambda properties: {"type": "object", "properties": properties}),
    max_leaves=6,
)
VALUES = st.recursive(st.none() | st.text(max_size=2) | st.integers(), lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=6)


@given(SCHEMAS, VALUES)
def test_filling_is_idempotent_and_changes_nothing_given(schema: dict[str, Any], value: Any) -> None:
    before = copy.deepcopy((schema, value))
    once = with_defaults(value, schema)
    assert with_defaults(once, schema) == once
    assert (schema, value) == before
    if isinstance(value, dict):
        assert all(once[name] == item or item is None or isinstance(item, dict) for name, item in value.items())
