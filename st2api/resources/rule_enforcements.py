"""Rule enforcements: what became of a rule and an event (api.md 4.10)."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from st2api.endpoint import Call, Reply, Routes
from st2api.execution_forms import forms, stored_fields
from st2api.query import LIST_HEADERS, Filter, Listing
from st2common.exceptions import NotFound
from st2common.refs import is_object_id
from st2common.security.access import enforcement_subject
from st2common.store.query import Query

routes = Routes("rule enforcements")

_ID = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": _ID, "trigger_instance_id": {"type": "string"}, "execution_id": {"type": "string"}, "failure_reason": {"type": "string"},
        "rule": {"type": "object"}, "enforced_at": {"type": "string", "format": "date-time"}, "status": {"enum": ["succeeded", "failed"]},
        "trigger_instance": {"type": "object"}, "execution": {"type": "object"},
    },
}  # fmt: skip
_LIST = {"type": "array", "items": _SCHEMA}
LISTING = Listing(
    filters=(
        Filter("execution", "execution_id"), Filter("rule_ref", "rule_ref"), Filter("rule_id", "rule_id"),
        Filter("trigger_instance", "trigger_instance_id"), Filter("enforced_at_gt", "enforced_at", "gt"),
        Filter("enforced_at_lt", "enforced_at", "lt"),
    ),
    order=(("enforced_at", -1), ("rule_ref", 1)),
    limit=50,
    sortable=True,
    fields=frozenset(_SCHEMA["properties"]),
    sort_keys=(("enforced_at", "enforced_at"),),
)  # fmt: skip
_SHOWN = frozenset({"id", "status", "parameters", "action", "runner", "start_timestamp", "end_timestamp", "context", "trigger_instance"})


def _load(call: Call) -> Any:
    id = call.path["id"]
    document = call.platform.store.enforcements.get(id) if is_object_id(id) else None
    if document is None:
        raise NotFound(f'Unable to identify resource with id "{id}".')
    call.authorize(enforcement_subject(id, document.rule_uid or ""))
    return document


@routes("GET", "/ruleenforcements", permission="rule_enforcement_list", query=LISTING.params(), headers=LIST_HEADERS, answer=_LIST)
def list_all(call: Call) -> Reply:
    """List rule enforcements."""
    shape = LISTING.shape(call)
    documents, total = call.platform.store.enforcements.page(LISTING.query(call))
    return LISTING.reply(call, [shape.apply(document.to_api()) for document in documents], total)


@routes("GET", "/ruleenforcements/{id}", object_permission="rule_enforcement_view", answer=_SCHEMA, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one rule enforcement."""
    return _load(call).to_api()


def _views(call: Call, documents: list[Any]) -> list[dict[str, Any]]:
    """With the event and the execution; {} for what is gone or never was."""
    store = call.platform.store
    instances = {str(item.id): item.to_api() for item in _instances(call, [document.trigger_instance_id for document in documents])}
    ids = [ObjectId(document.execution_id) for document in documents if is_object_id(document.execution_id)]
    rows = store.executions.page(Query({"_id": {"$in": ids}}, projection=stored_fields(_SHOWN, "start_us"))).documents if ids else []
    executions = {str(row["_id"]): form for row, form in zip(rows, forms(call, rows, _SHOWN), strict=True)}
    return [
        {
            **document.to_api(),
            "trigger_instance": instances.get(document.trigger_instance_id, {}),
            "execution": executions.get(document.execution_id or "", {}),
        }
        for document in documents
    ]


def _instances(call: Call, ids: list[str]) -> list[Any]:
    wanted = [ObjectId(id) for id in dict.fromkeys(ids) if is_object_id(id)]
    return call.platform.store.instances.page(Query({"_id": {"$in": wanted}}))[0] if wanted else []


@routes("GET", "/ruleenforcements/views", permission="rule_enforcement_list", query=LISTING.params(), headers=LIST_HEADERS, answer=_LIST)
def list_views(call: Call) -> Reply:
    """List rule enforcements with their events and executions."""
    shape = LISTING.shape(call)
    documents, total = call.platform.store.enforcements.page(LISTING.query(call))
    return LISTING.reply(call, [shape.apply(form) for form in _views(call, documents)], total)


@routes("GET", "/ruleenforcements/views/{id}", object_permission="rule_enforcement_view", answer=_SCHEMA)
def get_view(call: Call) -> dict[str, Any]:
    """Get one rule enforcement with its event and execution."""
    return _views(call, [_load(call)])[0]
