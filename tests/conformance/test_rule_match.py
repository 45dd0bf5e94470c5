"""Recorded results of whole rules against payloads (vectors/rule_match.json)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from st2common.criteria import IndexedRule, RuleIndex, UnknownOperator, compile_criteria, failure_reason, select
from st2common.exceptions import CastError, ParamError
from st2common.expressions import DatastoreNamespace, datastore_namespace
from st2common.parameters import request_parameters

DOCUMENT = json.loads((Path(__file__).parent / "vectors" / "rule_match.json").read_text())
FIXTURES = DOCUMENT["about"]["fixtures"]
NOW = datetime.fromisoformat(FIXTURES["now"])
INSTANCE = "<trigger instance id>"


USER = FIXTURES["system user"]
CONTEXT = {"rule": {"id": "507f1f77bcf86cd799439011", "name": "r"}, "user": USER, "pack": "p"}
ERRORS = {"ParamException": ParamError, "ValueError": CastError, "SyntaxError": CastError}
DATASTORE = {("st2kv.system", name): value for name, value in FIXTURES["st2kv.system"].items()}
DATASTORE |= {("st2kv.user", name): value for name, value in FIXTURES["st2kv.user (user:name)"].items()}


def _datastore(user: str | None = None) -> DatastoreNamespace:
    return datastore_namespace(lambda scope, name: DATASTORE.get((scope, name)), user=user)


VARIABLES = {"st2kv": _datastore()}


@pytest.mark.parametrize("vector", DOCUMENT["vectors"], ids=lambda v: v["id"])
def test_match(vector: dict[str, Any]) -> None:
    rule_ref = FIXTURES["rule"]["ref"]
    rule = IndexedRule(rule_ref, compile_criteria(vector["criteria"], rule_ref), enabled=vector.get("enabled", True))
    if "error" in vector:
        with pytest.raises(UnknownOperator) as caught:
            select(RuleIndex([rule]), vector["payload"], variables=VARIABLES, now=NOW)
        assert str(caught.value) == vector["error_message"]
        return
    selection = select(RuleIndex([rule]), vector["payload"], variables=VARIABLES, now=NOW)
    assert [one.rule for one in selection.matched] == ([rule_ref] if vector["matched"] else [])
    reasons = [failure_reason(rule_ref, INSTANCE, failure) for _, failure in selection.failures]
    assert reasons == vector.get("match_failure_reasons", [])
    if rule.enabled:
        result = rule.criteria.match(vector["payload"], variables=VARIABLES, now=NOW)
        assert result.ok is vector["matched"]
        assert list(result.failures) == [failure for _, failure in selection.failures]
        assert result.ok or result.reasons[-1].ok is False


@pytest.mark.parametrize("vector", [v for v in DOCUMENT["vectors"] if "rendered" in v or "render_error" in v], ids=lambda v: v["id"])
def test_action_parameters(vector: dict[str, Any]) -> None:
    """The parameters of the execution that a matching rule requests."""

    def render() -> dict[str, Any]:
        return request_parameters(
            runner_parameters=FIXTURES["runner schema"],
            action_parameters=FIXTURES["action schema"],
            supplied=vector["action_parameters"],
            variables={
                "st2kv": _datastore(USER),
                "action_context": CONTEXT,
                "config_context": FIXTURES["config_context"],
                "trigger": vector["payload"],
            },
        )

    if "render_error" in vector:
        with pytest.raises(ERRORS[vector["render_error"]]) as caught:
            render()
        assert str(caught.value) == vector["render_error_message"]
    else:
        assert render() == vector["rendered"]
