"""The workflows of the built-in packs, inspected with the parameters of the actions they use."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2common.packs.metadata import runner_type
from st2common.packs.reader import Item, PackDirectory, read_kind
from st2common.workflows.inspection import inspect_text

CONTRIB = Path(__file__).resolve().parents[3] / "contrib"


def actions() -> dict[str, dict[str, dict]]:
    """Ref -> effective parameters of every built-in action."""
    found = {}
    for pack in ("core", "chatops", "packs", "linux", "examples"):
        for item in read_kind(PackDirectory(CONTRIB / pack), "action"):
            assert isinstance(item, Item)
            parameters = {**runner_type(item.values["runner_type"])["runner_parameters"], **item.values["parameters"]}
            found[f"{pack}.{item.values['name']}"] = parameters
    return found


@pytest.mark.parametrize("workflow", sorted(str(file.relative_to(CONTRIB)) for file in CONTRIB.glob("*/actions/workflows/*.yaml")))
def test_workflow(workflow: str) -> None:
    assert inspect_text((CONTRIB / workflow).read_text(), actions().get) == []
