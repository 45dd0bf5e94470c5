"""Recorded operator results (vectors/operators.json)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from st2common.criteria import compile_criteria
from st2common.criteria.operators import TIME_OPERATORS, OperandError, UnknownOperator, UnrecognizedCondition, get_operator, search

VECTORS = json.loads((Path(__file__).parent / "vectors" / "operators.json").read_text())["vectors"]

ERRORS = {
    "AttributeError": OperandError,
    "TypeError": OperandError,
    "ValueError": OperandError,
    "ParserError": OperandError,
    "UnrecognizedConditionError": UnrecognizedCondition,
    "Exception": UnknownOperator,
}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _match(vector: dict[str, Any]) -> Any:
    """The vector as a rule of one criterion."""
    definition = {"type": vector["operator"], "pattern": vector["pattern"], "condition": vector.get("condition")}
    return compile_criteria({"trigger.v": definition}, "p.r").match({"v": vector["value"]}, now=_moment(vector.get("now")))


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["operator"] != "search"], ids=lambda v: v["id"])
def test_operator(vector: dict[str, Any]) -> None:
    def apply() -> bool:
        operator = get_operator(vector["operator"])
        if operator in TIME_OPERATORS:
            return operator(vector["value"], vector["pattern"], _moment(vector["now"]))
        return operator(vector["value"], vector["pattern"])

    if "error" in vector:
        with pytest.raises(ERRORS[vector["error"]]) as caught:
            apply()
        if "error_message" in vector:
            assert str(caught.value) == vector["error_message"]
    else:
        assert apply() is vector["expected"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["operator"] == "search"], ids=lambda v: v["id"])
def test_search(vector: dict[str, Any]) -> None:
    result = _match(vector)
    if "error" in vector:
        assert not result.ok
        assert result.failures[-1].startswith("There might be a problem with the criteria in rule p.r: ")
        assert vector.get("error_message", "") in result.failures[-1]
    else:
        assert result.ok is vector["expected"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["operator"] != "search"], ids=lambda v: v["id"])
def test_rule_of_one_criterion(vector: dict[str, Any]) -> None:
    if vector.get("error") == "Exception":
        with pytest.raises(UnknownOperator):
            _match(vector)
        return
    result = _match(vector)
    assert result.ok is vector.get("expected", False)
    assert len(result.failures) == ("error" in vector)


def test_search_without_recognized_condition_raises() -> None:
    with pytest.raises(UnrecognizedCondition, match="The 'some' condition is not recognized"):
        search([], "some", lambda item: [])
