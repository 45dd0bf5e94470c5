"""The way of parameters from the request to the runner."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from st2common.exceptions import CastError, Invalid, ParamError
from st2common.parameters import cast, final_parameters, request_parameters, resolve, validate_request
from st2common.schema import SchemaViolation

RUNNER: dict[str, Any] = {
    "cmd": {"type": "string", "required": True},
    "sudo": {"type": "boolean", "default": False},
    "timeout": {"type": "integer", "default": 60},
}
ECHO: dict[str, Any] = {"cmd": {"default": 'echo "{{message}}"', "immutable": True}, "message": {"type": "string", "required": True}}


def requested(action: dict[str, Any], supplied: dict[str, Any], runner: dict[str, Any] = RUNNER, **variables: Any) -> dict[str, Any]:
    return request_parameters(runner_parameters=runner, action_parameters=action, supplied=supplied, variables=variables)


def validated(action: dict[str, Any], live: dict[str, Any], runner: dict[str, Any] = RUNNER) -> dict[str, Any]:
    return validate_request(runner_parameters=runner, action_parameters=action, live=live)


def final(action: dict[str, Any], live: dict[str, Any], runner: dict[str, Any] = RUNNER, **variables: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return final_parameters(runner_parameters=runner, action_parameters=action, live=live, variables=variables)


def test_the_whole_way() -> None:
    live = validated(ECHO, requested(ECHO, {"message": "{{ action_context.user }}", "timeout": "5"}, action_context={"user": "joe"}))
    assert live == {"message": "joe", "timeout": 5}
    assert final(ECHO, live) == ({"cmd": 'echo "joe"', "sudo": False, "timeout": 5}, {"message": "joe"})


def test_templates_in_stored_values_are_not_rendered_again() -> None:
    live = requested(ECHO, {"message": "{% raw %}{{ st2kv.system.x }}{% endraw %}"})
    assert live == {"message": "{{ st2kv.system.x }}"}
    assert final(ECHO, live)[1] == live


def test_templated_defaults_are_stored_unless_immutable_or_given() -> None:
    action = {"a": {"type": "integer", "default": "{{ 2 + 3 }}"}, "b": {"type": "integer", "default": "{{ 1 }}", "immutable": True}}
    assert requested(action, {}) == {"a": 5}
    assert requested(action, {"a": 7}) == {"a": 7}
    assert final(action, {"a": 7}, runner={}) == ({}, {"a": 7, "b": 1})


def test_an_action_default_of_a_runner_parameter_is_cast_by_the_runners_type() -> None:
    assert requested({"timeout": {"default": "{{ 2 * 30 }}"}}, {}) == {"timeout": 60}


def test_overriding_immutable_parameters() -> None:
    runner = RUNNER | {"kwarg_op": {"type": "string", "default": "--", "immutable": True}}
    live = requested(ECHO, {"message": "m", "kwarg_op": "-", "cmd": "true"}, runner)
    with pytest.raises(Invalid) as caught:
        validated(ECHO, live, runner)
    assert caught.value.message == "Override of immutable parameter(s) ['cmd', 'kwarg_op'] is unsupported."


def test_the_schema_is_judged_before_immutables() -> None:
    with pytest.raises(SchemaViolation) as caught:
        validated(ECHO, {"cmd": "true"})
    assert caught.value.message == "'message' is a required property"


def test_unknown_parameters_are_refused_unless_there_are_none_at_all() -> None:
    with pytest.raises(SchemaViolation):
        validated(ECHO, {"message": "m", "nope": 1})
    assert validated({}, {"nope": 1}, runner={}) == {"nope": 1}


def test_nested_defaults_are_not_stored() -> None:
    action = {"o": {"type": "object", "properties": {"x": {"type": "integer", "default": 3}}}}
    assert validated(action, {"o": {}}, runner={}) == {"o": {}}


def test_a_null_that_has_a_default_becomes_it() -> None:
    action = {"s": {"type": "string", "default": "dft"}, "n": {"type": "string"}}
    assert validated(action, requested(action, {"s": None, "n": None}, {}), {}) == {"s": "dft", "n": None}


def test_the_pack_config_is_loaded_only_when_named() -> None:
    loads: list[int] = []

    def config() -> dict[str, Any]:
        loads.append(1)
        return {"host": "h"}

    assert requested(ECHO, {"message": "plain"}, config_context=config) == {"message": "plain"}
    assert requested(ECHO, {"message": "{{ timeout }}"}, config_context=config) == {"message": "60"}
    assert loads == []
    assert requested(ECHO, {"message": "{{ config_context.host }}", "cmd": "{{ config_context.host }}"}, config_context=config)["message"] == "h"
    assert loads == [1]


def test_defaults_are_never_shared() -> None:
    action = {"l": {"type": "array", "default": []}}
    final(action, {}, runner={})[1]["l"].append(1)
    assert final(action, {}, runner={})[1]["l"] == []


def test_an_unset_parameter_renders_as_none() -> None:
    action = {"w": {"type": "integer"}, "x": {"type": "integer", "default": "{{ w }}"}}
    with pytest.raises(CastError) as caught:
        requested(action, {}, {})
    assert caught.value.message == "invalid literal for int() with base 10: 'None'"


@pytest.mark.parametrize(
    ("supplied", "message"),
    [
        ({"a": "{{ nope }}"}, 'Dependency unsatisfied in variable "nope"'),
        ({"a": "{{ b }}", "b": "{{ a }}"}, "Cyclic dependency found in the following variables: a. Likely the variable is referencing itself"),
        ({"x": "{{ a }}", "a": "{{ a }}", "b": "{{ c }}", "c": ["{{b}}"]},
         "Cyclic dependency found in the following variables: a, b. Likely the variable is referencing itself"),
        ({"a": "{{ 'x' | nosuchfilter }}"}, "Failed to render parameter \"a\": No filter named 'nosuchfilter'."),
        ({"a": "{{ 1 / 0 }}"}, 'Failed to render parameter "a": division by zero'),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_rendered(supplied: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamError) as caught:
        requested({}, supplied)
    assert caught.value.message == message


@pytest.mark.parametrize("text", ["echo {{ 1 + }}", "{{", "{% if %}", "a }} {{ b"])
def test_what_does_not_parse_is_taken_literally(text: str) -> None:
    assert requested({}, {"a": text}) == {"a": text}


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_dependencies_are_rendered_first_and_cycles_are_found(order: list[int], edges: set[tuple[int, int]]) -> None:
    needs = {node: sorted(to for start, to in edges if start == node) for node in range(6)}
    values = {f"p{node}": "".join(f"{{{{ p{other} }}}}" for other in needs[node]) + f".{node}" for node in order}
    reachable = {node: set(needs[node]) for node in range(6)}
    for _ in range(6):
        for below in reachable.values():
            below.update(*(reachable[other] for other in list(below)))
    if any(node in below for node, below in reachable.items()):
        with pytest.raises(ParamError, match="Cyclic dependency"):
            resolve(values, {})
        return

    def expected(node: int) -> str:
        return "".join(expected(other) for other in needs[node]) + f".{node}"

    assert resolve(values, {}) == {f"p{node}": expected(node) for node in range(6)}


@pytest.mark.parametrize(
    ("value", "type", "expected"),
    [("12", "integer", 12), (3.9, "integer", 3), (True, "integer", 1), ("TRUE", "boolean", True), ("1", "boolean", 1), ("['m']", "array", ["m"]),
     ("(1, 2)", "array", [1, 2]), ("x", None, "x"), ("x", "whatever", "x")],
)  # fmt: skip
def test_casts(value: Any, type: str | None, expected: Any) -> None:
    assert cast(value, type) == expected


@given(st.text(), st.sampled_from(["integer", "number", "boolean", "array", "object", "string"]))
def test_a_cast_of_text_gives_a_value_or_a_cast_error(text: str, type: str) -> None:
    try:
        cast(text, type)
    except CastError as error:
        assert error.message


@pytest.mark.parametrize(
    ("value", "type"), [(float("inf"), "integer"), ("[" * 5000, "array"), ("{[]: 1}", "object"), ("a b", "boolean"), ({}, "number")]
)
def test_no_other_error_leaves_a_cast(value: Any, type: str) -> None:
    with pytest.raises(CastError):
        cast(value, type)
