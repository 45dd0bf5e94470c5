"""Recorded results of whole rules against payloads (vectors/rule_match.json)."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from st2common.criteria import IndexedRule, RuleIndex, UnknownOperator, compile_criteria, failure_reason, select
from st2common.expressions import datastore_namespace

DOCUMENT = json.loads((Path(__file__).parent / "vectors" / "rule_match.json").read_text())
FIXTURES = DOCUMENT["about"]["fixtures"]
NOW = datetime.fromisoformat(FIXTURES["now"])
INSTANCE = "<trigger instance id>"


DATASTORE = {("st2kv.system", name): value for name, value in FIXTURES["st2kv.system"].items()}
VARIABLES = {"st2kv": datastore_namespace(lambda scope, name: DATASTORE.get((scope, name)))}


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
