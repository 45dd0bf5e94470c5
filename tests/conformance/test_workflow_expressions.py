"""Every recorded expression vector, evaluated without a server."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import pytest

from st2common.expressions.evaluate import evaluate, validate
from st2common.expressions.scope import CurrentTask, Scope, Variables, seen_from
from st2common.expressions.workflow_errors import EvaluationError, described

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance" / "workflows" / "expressions.json"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="the recorded vectors are not beside the repository")


class RecordedTasks:
    """The engine state that a vector carries, as a task table."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def status(self, task_id: str, route: int) -> str | None:
        for near in seen_from(self.state["routes"], route):
            index = self.state["tasks"].get(f"{task_id}__r{near}")
            if index is not None:
                return self.state["sequence"][index]["status"]
        return None

    def record(self, task_id: str, route: int) -> dict[str, Any] | None:
        return None


def a_scope(context: dict[str, Any]) -> Scope:
    context = dict(context)
    current = context.pop("__current_task", None)
    state = context.pop("__state", None)
    has_item = "__current_item" in context
    item = context.pop("__current_item", None)
    task = CurrentTask(current["id"], current["route"], result=lambda: current.get("result")) if current else None
    return Scope(Variables(context), task, item, has_item, RecordedTasks(state) if state else None)


def matches(want: Any, got: Any) -> bool:
    if isinstance(want, str) and "<any>" in want:
        return re.fullmatch(".*".join(re.escape(part) for part in want.split("<any>")), got, re.S) is not None
    return json.dumps(want, sort_keys=True) == json.dumps(json.loads(json.dumps(got)), sort_keys=True)


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return [pytest.param(v, id=str(v["expression"])[:60]) for v in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]]


@pytest.mark.parametrize("vector", vectors())
def test_expression__recorded_vector__same_result_or_error(vector: dict[str, Any]) -> None:
    scope = a_scope(vector["context"])
    if "error" in vector:
        with pytest.raises(EvaluationError) as caught:
            evaluate(vector["expression"], scope)
        assert matches(vector["error"], described(caught.value))
    else:
        assert matches(vector["result"], evaluate(vector["expression"], scope))
    found = [{"type": e.language, "expression": e.expression, "message": e.message} for e in validate(vector["expression"])]
    assert found == vector.get("validate", [])
