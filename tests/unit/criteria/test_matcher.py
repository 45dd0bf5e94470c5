"""Matching one rule, and the answer to "why not?"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from st2common.criteria import OPERATORS, UnknownOperator, compile_criteria, failure_reason, validate_criteria
from st2common.exceptions import Invalid


def test_match__reasons__say_key_operator_pattern_value() -> None:
    criteria = {
        "trigger.a": {"type": "eq", "pattern": 1},
        "trigger.b#x": {"type": "gt", "pattern": "{{ trigger.a }}"},
        "trigger.c": {"type": "eq", "pattern": 1},
    }
    result = compile_criteria(criteria, "p.r").match({"a": 1, "b": 0})
    assert not result.ok
    assert [(r.key, r.operator, r.pattern, r.value, r.ok) for r in result.reasons] == [
        ("trigger.a", "eq", 1, 1, True),
        ("trigger.b#x", "gt", 1, 0, False),
    ]
    assert result.reasons[-1].why == "gt does not hold"
    assert result.failures == ()


def test_match__empty_payload__says_so() -> None:
    result = compile_criteria({"trigger.a": {"type": "nexists", "pattern": 1}}).match({})
    assert not result.ok
    assert "payload is empty" in result.reasons[0].why
    assert compile_criteria({}).match({}).ok
    assert compile_criteria(None).match(None).ok


def test_match__unparsable_key__failure_text() -> None:
    result = compile_criteria({"trigger.sp ace": {"type": "eq", "pattern": 1}}, "p.r").match({"a": 1})
    assert result.failures[0].startswith("Failed transforming criteria key trigger.sp ace: ")
    text = failure_reason("p.r", "507f", result.failures[0])
    assert text.startswith('Failed to match rule "p.r" against trigger instance "507f": Failed transforming criteria key')


def test_match__unknown_operator__only_when_reached() -> None:
    compiled = compile_criteria({"trigger.a": {"type": "eq", "pattern": 1}, "trigger.b": {"type": "bogus", "pattern": 1}})
    assert not compiled.match({"a": 2}).ok
    with pytest.raises(UnknownOperator, match="Invalid operator: bogus"):
        compiled.match({"a": 1})


def test_match__criterion_that_is_no_object__false() -> None:
    assert not compile_criteria({"trigger.a": "type"}).match({"a": 1}).ok


@pytest.mark.parametrize(
    ("pattern", "value"),
    [("{{ trigger.n }}", 5), ("{{ trigger.l }}", ["x"]), ("n{{ trigger.n }}", "n5"), ("{% if true %}y{% endif %}", "y"), ("a\r\nb\n", "a\nb")],
)
def test_match__pattern_rendered__with_its_type(pattern: str, value: Any) -> None:
    assert compile_criteria({"trigger.v": {"type": "eq", "pattern": pattern}}).match({"v": value, "n": 5, "l": ["x"]}).ok


def test_match__broken_template__failure() -> None:
    result = compile_criteria({"trigger.a": {"type": "eq", "pattern": "{{ x"}}).match({"a": 1})
    assert result.failures[0].startswith('Failed to render pattern value "{{ x" for key "trigger.a": ')


def test_match__search__children_have_reasons_and_failures() -> None:
    criteria = {
        "trigger.l": {
            "type": "search",
            "condition": "any2any",
            "pattern": {"item.n": {"type": "gt", "pattern": 1}, "item.s": {"type": "eq", "pattern": "x"}},
        }
    }
    result = compile_criteria(criteria, "p.r").match({"l": [{"n": "text", "s": "y"}, {"n": None, "s": "x"}]})
    assert result.ok
    assert len(result.failures) == 2
    assert [[child.ok for child in item] for item in result.reasons[0].children] == [[False, False], [False, True]]


def test_match__search_with_unknown_child_operator__is_a_failure_of_the_search() -> None:
    criteria = {"trigger.l": {"type": "search", "condition": "any", "pattern": {"item": {"type": "bogus", "pattern": 1}}}}
    result = compile_criteria(criteria, "p.r").match({"l": [1]})
    assert result.failures == ("There might be a problem with the criteria in rule p.r: Invalid operator: bogus",)


def test_match__search_pattern_from_a_template__children_compiled() -> None:
    criteria = {"trigger.l": {"type": "search", "condition": "all", "pattern": "{{ trigger.p }}"}}
    payload = {"l": [{"n": 1}], "p": {"item.n": {"type": "eq", "pattern": 1}}}
    assert compile_criteria(criteria).match(payload).ok


def test_match__now__value_or_function() -> None:
    compiled = compile_criteria({"trigger.t": {"type": "td_lt", "pattern": "60"}})
    payload = {"t": "2024-01-15T11:59:30Z"}
    assert compiled.match(payload, now=datetime(2024, 1, 15, 12, tzinfo=UTC)).ok
    assert not compiled.match(payload, now=lambda: datetime(2024, 1, 15, 13, tzinfo=UTC)).ok


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({"trigger.x": {"pattern": 1}}, "Operator not specified for field: trigger.x"),
        ({"trigger.x": {"type": "zzz", "pattern": 1}}, f"For field: trigger.x, operator zzz not in list of allowed operators: {list(OPERATORS)}"),
        ({"trigger.x": {"type": "EQ", "pattern": 1}}, "For field: trigger.x, operator EQ not in list of allowed operators: "),
        ({"trigger.x": {"type": "exists"}}, "For field: trigger.x, no pattern specified for operator exists"),
        ({"trigger.x": "eq"}, "Criterion for field: trigger.x needs to be an object"),
        ([], "Criteria need to be an object"),
    ],
)
def test_validate(criteria: Any, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate_criteria(criteria)
    assert str(caught.value).startswith(text)


def test_validate__good_criteria__accepted() -> None:
    validate_criteria({"trigger.x": {"type": "nexists", "pattern": False}, "trigger.y": {"type": "eq", "pattern": 0}})
    validate_criteria(None)
