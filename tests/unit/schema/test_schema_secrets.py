"""Masking by schema."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.schema import MASK, mask_parameters, mask_secrets

SECRET = {"type": "string", "secret": True}


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("x", SECRET, MASK),
        (None, SECRET, MASK),
        ({"a": 1}, {"type": "object", "secret": True}, MASK),
        ({"u": "me", "p": "x"}, {"type": "object", "properties": {"u": {"type": "string"}, "p": SECRET}}, {"u": "me", "p": MASK}),
        (["x", "y"], {"type": "array", "items": SECRET}, [MASK, MASK]),
        ([{"p": "x", "q": 1}], {"type": "array", "items": {"properties": {"p": SECRET}}}, [{"p": MASK, "q": 1}]),
        (["x", "y", "z"], {"type": "array", "items": [{}, SECRET], "additionalItems": SECRET}, ["x", MASK, MASK]),
        ({"s_a": "x", "b": "y"}, {"type": "object", "patternProperties": {"^s_": SECRET}}, {"s_a": MASK, "b": "y"}),
        ({"a": "x", "b": "y"}, {"type": "object", "properties": {"a": {}}, "additionalProperties": SECRET}, {"a": "x", "b": MASK}),
        ({"p": "x"}, {"anyOf": [{"type": "string"}, {"properties": {"p": SECRET}}]}, {"p": MASK}),
        ("x", {"type": "object", "properties": {"p": SECRET}}, "x"),
        ("x", None, "x"),
        ("x", {"secret": "true"}, "x"),
    ],
)
def test_masking(value: Any, schema: Any, expected: Any) -> None:
    before = copy.deepcopy(value)
    assert mask_secrets(value, schema) == expected
    assert value == before


def test_parameters_without_a_schema_stay() -> None:
    assert mask_parameters({"a": "x", "b": "y"}, {"a": SECRET}) == {"a": MASK, "b": "y"}


@given(
    st.recursive(
        st.just("hunter2") | st.integers(), lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
    )
)
def test_nothing_below_a_secret_shows(value: Any) -> None:
    schema = {"type": "object", "properties": {"deep": {"type": "array", "items": {"type": "object", "additionalProperties": {"secret": True}}}}}
    assert "hunter2" not in json.dumps(mask_secrets({"deep": [{"k": value}]}, schema))
