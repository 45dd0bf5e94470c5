"""Inquiries (api.md 4.4)."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import Call, Param, Reply, Routes
from st2api.query import LIST_HEADERS, page_headers, page_limit, page_offset
from st2common.execution.inquiries import Inquiries, form
from st2common.security.access import inquiry_subject

routes = Routes("inquiries")

_INQUIRY = {
    "type": "object",
    "properties": {
        "id": {"type": "string"}, "route": {"type": "string"}, "ttl": {"type": "integer"}, "users": {"type": "array"}, "roles": {"type": "array"},
        "schema": {"type": "object"},
    },
    "required": ["id", "route", "ttl", "users", "roles", "schema"],
}  # fmt: skip
_RESPONSE = {
    "type": "object",
    "properties": {"id": {"type": "string", "required": True}, "response": {"type": "object", "required": True}},
    "additionalProperties": True,
}
_LIMIT = 20


def _inquiries(call: Call) -> Inquiries:
    platform = call.platform
    return Inquiries(platform.store, platform.control, platform.aftermath, platform.clock)


@routes("GET", "/inquiries", permission="inquiry_list", headers=LIST_HEADERS, answer={"type": "array", "items": _INQUIRY},
        query=(Param("limit", "integer"), Param("offset", "integer", 0)))  # fmt: skip
def list_all(call: Call) -> Reply:
    """List inquiries that wait for a response."""
    limit = page_limit(call, _LIMIT)
    forms, total = _inquiries(call).page(limit, page_offset(call))
    return Reply(forms, headers=page_headers(total, limit))


def _found(call: Call) -> Any:
    document = _inquiries(call).get(call.path["id"])
    parent = document.get("parent")
    workflow = call.platform.store.executions.get(parent, ["action_ref"]) if parent else None
    call.authorize(inquiry_subject(call.path["id"], workflow["action_ref"] if workflow else None))
    return document


@routes("GET", "/inquiries/{id}", object_permission="inquiry_view", answer=_INQUIRY, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one inquiry that waits for a response."""
    return form(_found(call))


@routes("PUT", "/inquiries/{id}", object_permission="inquiry_respond", body=_RESPONSE, answer={"type": "object"})
def respond(call: Call) -> dict[str, Any]:
    """Respond to an inquiry."""
    document = _found(call)
    _inquiries(call).respond(document, call.body["response"], user=call.requester.user, roles=call.requester.roles)
    return {"id": call.path["id"], "response": call.body["response"]}
