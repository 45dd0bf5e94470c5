"""Every recorded inspection answer, from the pure inspection."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from st2common.workflows.errors import DefinitionError
from st2common.workflows.inspection import inspect_text

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "shared" / "conformance" / "workflows" / "inspect" / "inspect.json"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="the recorded vectors are not beside the repository")

ACTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "core.noop": {},
    "core.echo": {"message": {"type": "string", "required": True}},
    "core.local": {"cmd": {"type": "string", "required": True}, "timeout": {"type": "integer", "default": 60}, "sudo": {"immutable": True}},
}


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return [pytest.param(v, id=v["name"]) for v in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]]


def as_set(entries: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(entry, sort_keys=True) for entry in entries}


@pytest.mark.parametrize("vector", vectors())
def test_inspect__recorded_definition__same_entries(vector: dict[str, Any]) -> None:
    if vector["http"] != 200:
        with pytest.raises(DefinitionError) as caught:
            inspect_text(vector["definition"], ACTIONS.get)
        assert caught.value.message == vector["answer"]["faultstring"]
        return
    findings = inspect_text(vector["definition"], ACTIONS.get)
    assert as_set([finding.to_dict() for finding in findings]) == as_set(vector["answer"])
    assert [(f.type, f.schema_path or "") for f in findings] == sorted((f.type, f.schema_path or "") for f in findings)
    lines = vector["definition"].count("\n") + 1
    assert all(1 <= finding.line <= lines and finding.column >= 1 for finding in findings)
