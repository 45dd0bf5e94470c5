"""The index gives what evaluating every rule gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st2common.criteria import IndexedRule, RuleIndex, UnknownOperator, compile_criteria, select
from st2common.criteria.matcher import Scope, Trail
from st2common.criteria.operators import OPERATORS

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, 1.0, 1.5, -0.0]), st.sampled_from(["", "a", "b", "A", "1"]))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(["a", "b"]), SCALARS, max_size=2))
FIELDS = ["a", "b", "c"]
PAYLOADS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3)
KEYS = st.sampled_from(
    [*(f"trigger.{field}" for field in FIELDS), "trigger.a.b", "trigger.a[0]", "trigger..b", "trigger.a#2", "trigger.", "$.trigger.b", "item"]
)
EQUALITIES = st.sampled_from(["eq", "equals", "in", "inside", "neq", "nin", "exists", "nexists"])
ANY_OPERATOR = st.sampled_from([name for name in OPERATORS if name != "search"] + ["EQ"])
PATTERNS = st.one_of(VALUES, st.sampled_from(["{{ trigger.a }}", "{{ trigger.b }}", "{{ trigger.none }}", "x{{ trigger.a }}", "[", "a\n"]))
CRITERION = st.one_of(
    st.fixed_dictionaries({"type": st.one_of(EQUALITIES, EQUALITIES, ANY_OPERATOR), "pattern": PATTERNS}),
    st.fixed_dictionaries({"pattern": PATTERNS}),
    st.fixed_dictionaries(
        {
            "type": st.just("search"),
            "condition": st.sampled_from(["any", "all", "any2any", "all2any", "none"]),
            "pattern": st.one_of(
                st.none(), st.dictionaries(st.just("item"), st.fixed_dictionaries({"type": ANY_OPERATOR, "pattern": PATTERNS}), max_size=1)
            ),
        }
    ),
)
RULES = st.lists(st.tuples(st.dictionaries(KEYS, CRITERION, max_size=3), st.booleans(), st.booleans()), max_size=12)


def _index_rules(rules: list[tuple[dict[str, Any], bool, bool]]) -> list[IndexedRule]:
    return [
        IndexedRule(number, compile_criteria(criteria, f"p.r{number}"), backstop=backstop, enabled=enabled or number % 3 != 0)
        for number, (criteria, backstop, enabled) in enumerate(rules)
    ]


def _naive(rules: list[IndexedRule], payload: dict[str, Any]) -> tuple[list[Any], list[tuple[Any, str]]]:
    """reactor.md 6.1, word by word."""
    matched: list[Any] = []
    failures: list[tuple[Any, str]] = []
    for backstop in (False, True):
        if backstop and matched:
            break
        for rule in rules:
            if rule.enabled and rule.backstop is backstop:
                result = rule.criteria.match(payload)
                failures.extend((rule.rule, failure) for failure in result.failures)
                if result.ok:
                    matched.append(rule.rule)
    return matched, failures


@settings(max_examples=400, deadline=None)
@given(rules=RULES, payload=PAYLOADS)
def test_index__any_rules_and_payload__same_as_evaluating_all(rules: list[Any], payload: dict[str, Any]) -> None:
    indexed = _index_rules(rules)
    selection = select(RuleIndex(indexed), payload)
    matched, failures = _naive(indexed, payload)
    assert [rule.rule for rule in selection.matched] == matched
    assert [(rule.rule, failure) for rule, failure in selection.failures] == failures


@settings(max_examples=100, deadline=None)
@given(rules=RULES, payload=PAYLOADS, where=st.integers(0, 12), before=st.dictionaries(KEYS, CRITERION, max_size=2))
def test_index__unknown_operator__raised_exactly_when_reached(rules: list[Any], payload: dict[str, Any], where: int, before: dict[str, Any]) -> None:
    rules.insert(min(where, len(rules)), ({**before, "trigger.a#u": {"type": "bogus", "pattern": 1}}, False, True))
    indexed = _index_rules(rules)
    try:
        expected: Any = _naive(indexed, payload)
    except UnknownOperator:
        with pytest.raises(UnknownOperator):
            select(RuleIndex(indexed), payload)
        return
    selection = select(RuleIndex(indexed), payload)
    assert ([r.rule for r in selection.matched], [(r.rule, f) for r, f in selection.failures]) == expected


@settings(max_examples=200, deadline=None)
@given(criteria=st.dictionaries(KEYS, CRITERION, max_size=3), payload=PAYLOADS.filter(bool))
def test_check__with_and_without_reasons__same_result(criteria: dict[str, Any], payload: dict[str, Any]) -> None:
    compiled = compile_criteria(criteria, "p.r")
    result = compiled.match(payload)
    trail = Trail(with_reasons=False)
    assert compiled.check(Scope({"trigger": payload}, None, None), trail) is result.ok
    assert tuple(trail.failures) == result.failures
    assert all(reason.ok for reason in result.reasons[:-1])
    assert result.ok is all(reason.ok for reason in result.reasons)


def _rule(name: str, criteria: dict[str, Any], **more: Any) -> IndexedRule:
    return IndexedRule(name, compile_criteria(criteria, f"p.{name}"), **more)


def _names(rules: list[IndexedRule], payload: dict[str, Any]) -> list[str]:
    return [rule.rule for rule in select(RuleIndex(rules), payload).matched]


def test_select__one_true_and_one_point_zero__are_one_value() -> None:
    rules = [_rule(str(pattern), {"trigger.n": {"type": "eq", "pattern": pattern}}) for pattern in (1, 1.0, True, "1")]
    assert _names(rules, {"n": True}) == ["1", "1.0", "True"]


def test_select__backstop__only_when_nothing_else_matches() -> None:
    rules = [_rule("last", {}, backstop=True), _rule("host", {"trigger.host": {"type": "eq", "pattern": "a"}})]
    assert _names(rules, {"host": "a"}) == ["host"]
    assert _names(rules, {"host": "b"}) == ["last"]


def test_select__disabled__ignored() -> None:
    assert _names([_rule("off", {}, enabled=False), _rule("off2", {}, backstop=True, enabled=False)], {"a": 1}) == []


def test_select__empty_payload__only_rules_without_criteria() -> None:
    rules = [_rule("any", {}), _rule("absent", {"trigger.a": {"type": "nexists", "pattern": 1}})]
    assert _names(rules, {}) == ["any"]


def test_select__unhashable_value__no_error() -> None:
    rules = [_rule("eq", {"trigger.a": {"type": "eq", "pattern": "x"}}), _rule("list", {"trigger.a": {"type": "eq", "pattern": ["x"]}})]
    assert _names(rules, {"a": ["x"]}) == ["list"]


def test_select__failure_before_the_equality__is_kept() -> None:
    rules = [_rule("r", {"trigger.n": {"type": "gt", "pattern": 1}, "trigger.host": {"type": "eq", "pattern": "a"}})]
    selection = select(RuleIndex(rules), {"n": "x", "host": "b"})
    assert [failure.partition(":")[0] for _, failure in selection.failures] == ["There might be a problem with the criteria in rule p.r"]


def test_select__unknown_operator__carries_what_was_recorded() -> None:
    rules = [_rule("bad", {"trigger.n": {"type": "gt", "pattern": 1}}), _rule("worse", {"trigger.n": {"type": "none", "pattern": 1}})]
    with pytest.raises(UnknownOperator) as caught:
        select(RuleIndex(rules), {"n": "x"})
    assert [rule.rule for rule, _ in caught.value.failures] == ["bad"]


def test_index__many_rules__event_looks_at_few() -> None:
    rules = [_rule(f"r{n}", {"trigger.kind": {"type": "eq", "pattern": "k"}, "trigger.host": {"type": "eq", "pattern": n}}) for n in range(100)]
    candidates = RuleIndex(rules).standard._candidates(Scope({"trigger": {"kind": "k", "host": 7}}, None, None))
    assert candidates == [7]
