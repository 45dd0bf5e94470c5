"""The platform's trigger types have the recorded schemas (api/triggertypes.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.triggers import INTERNAL_TRIGGER_TYPES

RECORDED = Path(__file__).parents[2].parent / "shared" / "conformance" / "api" / "triggertypes.json"


def _recorded() -> dict[str, dict[str, Any]]:
    if not RECORDED.exists():
        return {}
    answers = [case["expect"].get("json") for case in json.loads(RECORDED.read_text())["cases"] if case.get("expect") and case["method"] == "GET"]
    return {one["ref"]: one for one in answers if isinstance(one, dict) and one.get("pack") == "core" and "payload_schema" in one}


@pytest.mark.skipif(not RECORDED.exists(), reason="recorded API answers are not next to the repository")
@pytest.mark.parametrize("ref", list(_recorded()) or ["none"])
def test_schemas(ref: str) -> None:
    recorded, row = _recorded()[ref], INTERNAL_TRIGGER_TYPES[ref]
    assert (row.name, row.pack, row.parameters_schema) == (recorded["name"], recorded["pack"], recorded["parameters_schema"])
    assert _without_prose(row.payload_schema) == _without_prose(recorded["payload_schema"])


def _without_prose(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: _without_prose(value) for key, value in schema.items() if key != "description"}
    return schema
