"""Inspection of workflow definitions (api.md 4.17), and their graphs (our addition)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2api.endpoint import Call, Param, Routes
from st2api.lookup import found
from st2common.exceptions import NotFound
from st2common.parameters import effective_schema

routes = Routes("workflows")


GRAPH_SCHEMA = {
    "type": "object",
    "properties": {"nodes": {"type": "array", "items": {"type": "object"}}, "edges": {"type": "array", "items": {"type": "object"}}},
}
_GRAPH_OF = {"type": ["string", "object"], "properties": {"action": {"type": "string", "required": True}}, "additionalProperties": False}


@routes("POST", "/workflows/inspect", body={"type": "string"}, answer={"type": "array", "items": {"type": "object"}},
        query=(Param("places", "boolean", False, "also the line and column of each finding"),))  # fmt: skip
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

    return [finding.to_dict(places=call.query["places"]) for finding in inspect_text(call.body, parameters)]


@routes("POST", "/workflows/graph", object_permission="action_view", body=_GRAPH_OF, answer=GRAPH_SCHEMA)
def graph(call: Call) -> dict[str, Any]:
    """Get the nodes and edges of a workflow: of a definition (text/plain) or of a registered action (JSON with "action")."""
    from st2api import workflow_graphs

    if isinstance(call.body, str):
        return workflow_graphs.of_text(call.body)
    action = found(call, "action", call.body["action"])
    call.authorize(action)
    return workflow_graphs.of_action(call.platform, action)
