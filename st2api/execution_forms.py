"""Answers about executions: which attributes were asked for, what of the document that takes, and the form of a fresh one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from st2api.endpoint import Call
from st2common import states
from st2common.clock import iso_us
from st2common.exceptions import Invalid
from st2common.execution.view import STORED

ATTRIBUTES = frozenset(STORED)
EXCLUDABLE = frozenset({"result", "trigger_instance", "status"})
_OPAQUE = frozenset({"result"})
_ALWAYS_READ = ("action_ref", "runner_name", "action_snapshot", "runner_snapshot", "is_workflow", "status")
"""Masking and authorization look at these, whatever is shown."""

_ID = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
_MOMENT = {"type": "string", "format": "date-time"}
_DOCUMENT = {"type": "object"}
EXECUTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id", "status", "action", "runner", "liveaction", "start_timestamp"],
    "properties": {
        "id": _ID, "status": {"type": "string", "enum": list(states.STATUSES)}, "action": _DOCUMENT, "runner": _DOCUMENT, "liveaction": _DOCUMENT,
        "start_timestamp": _MOMENT, "end_timestamp": _MOMENT, "elapsed_seconds": {"type": "number"}, "parameters": _DOCUMENT, "context": _DOCUMENT,
        "result": {}, "result_size": {"type": "integer"}, "log": {"type": "array", "items": _DOCUMENT}, "parent": _ID,
        "children": {"type": "array", "items": _ID}, "workflow_execution": {"type": "string"}, "task_execution": {"type": "string"},
        "trigger": _DOCUMENT, "trigger_type": _DOCUMENT, "trigger_instance": _DOCUMENT, "rule": _DOCUMENT, "delay": {"type": "integer"},
        "web_url": {"type": "string"},
    },
}  # fmt: skip


def wanted(call: Call) -> frozenset[str]:
    """The attributes that a request asks for.

    Raises:
        Invalid: unknown names, parts of the result, or both ways at once.
    """
    include, exclude = call.query.get("include_attributes"), call.query.get("exclude_attributes")
    if include and exclude:
        raise Invalid("exclude_fields and include_fields arguments are mutually exclusive. You need to provide either one or another, but not both.")
    for name in include or ():
        top, dot, _ = name.partition(".")
        if top not in ATTRIBUTES or (dot and top in _OPAQUE):
            raise Invalid(f'Invalid or unsupported include attribute specified: Cannot resolve field "{name}"')
    for name in exclude or ():
        if name not in EXCLUDABLE:
            raise Invalid(f"Invalid or unsupported exclude attribute specified: {name}")
    if include:
        return frozenset(name.partition(".")[0] for name in include)
    return ATTRIBUTES - frozenset(exclude or ())


def stored_fields(attributes: frozenset[str], *more: str) -> list[str]:
    """Fields of the document to read for these attributes."""
    return sorted({field for name in attributes for field in STORED[name]} | {*_ALWAYS_READ, *more})


def forms(call: Call, documents: Sequence[Mapping[str, Any]], attributes: frozenset[str] = ATTRIBUTES) -> list[dict[str, Any]]:
    """API forms of several executions."""
    return call.platform.view.many(documents, show_secrets=call.shows_secrets(), attributes=attributes, embed=True)


def accepted(call: Call, document: Mapping[str, Any]) -> dict[str, Any]:
    """The form of an execution that was accepted just now: ``requested``, with that one log entry, whatever happened since."""
    fresh = {**document, "status": states.REQUESTED, "log": document["log"][:1]}
    form = call.platform.view.many([fresh], show_secrets=False, attributes=ATTRIBUTES - {"children"}, embed=True)[0]
    form["log"] = [{"timestamp": iso_us(document["log"][0][0]), "status": states.REQUESTED}]
    return form
