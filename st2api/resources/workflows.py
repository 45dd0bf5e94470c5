"""Inspection of workflow definitions (api.md 4.17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2api.endpoint import Call, Routes
from st2common.exceptions import NotFound
from st2common.parameters import effective_schema

routes = Routes("workflows")


@routes("POST", "/workflows/inspect", body={"type": "string"}, answer={"type": "array", "items": {"type": "object"}})
def inspect(call: Call) -> list[dict[str, Any]]:
    """Tell what is wrong with a workflow definition (text/plain)."""
    from st2common.workflows.inspection import inspect_text  # the workflow language is a third of what the API would load at start

    content = call.platform.content
    content.refresh()

    def parameters(ref: str) -> Mapping[str, Mapping[str, Any]] | None:
        try:
            loaded = content.action(ref) if "." in ref else None
        except NotFound:  # its runner type is gone: it cannot be run
            loaded = None
        return None if loaded is None else effective_schema(loaded.runner["runner_parameters"], loaded.action["parameters"])

    return [finding.to_dict() for finding in inspect_text(call.body, parameters)]
