"""Traces (api.md 4.11)."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import Call, Param, Reply, Routes
from st2api.query import LIST_HEADERS, Listing, page_limit, page_offset
from st2common.exceptions import NotFound
from st2common.refs import is_object_id

routes = Routes("traces")

_PARTS = {"type": "array", "items": {"type": "object"}}
_TRACE: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"}, "uid": {"type": "string"}, "trace_tag": {"type": "string"},
        "start_timestamp": {"type": "string", "format": "date-time"}, "action_executions": _PARTS, "rules": _PARTS, "trigger_instances": _PARTS,
    },
}  # fmt: skip
LISTING = Listing(limit=100, sortable=True, fields=frozenset(_TRACE["properties"]),
                  sort_keys=(("start_timestamp", "start_timestamp"), ("trace_tag", "trace_tag")))  # fmt: skip
_FILTERS = (
    Param("trace_tag"), Param("execution", description="id"), Param("rule", description="id"), Param("trigger_instance", description="id"),
    Param("sort_asc", description="True: oldest first"), Param("sort_desc", description="True: newest first"),
)  # fmt: skip


@routes("GET", "/traces", permission="trace_list", query=LISTING.params(*_FILTERS), headers=LIST_HEADERS, answer={"type": "array", "items": _TRACE})
def list_all(call: Call) -> Reply:
    """List traces."""
    shape, asked = LISTING.shape(call), call.query
    # Ids rise with time, so an order by id is an order by start.
    field, direction = next((key for key in LISTING.sort(call) if key[0] != "name"), ("start_timestamp", -1))
    if (asked["sort_asc"] or asked["sort_desc"] or "").lower() == "true":
        field, direction = "start_timestamp", 1 if asked["sort_asc"] else -1
    traces, total = call.platform.store.traces.page(
        tag=asked["trace_tag"], execution=asked["execution"], rule=asked["rule"], trigger_instance=asked["trigger_instance"],
        limit=page_limit(call, LISTING.limit), offset=page_offset(call),
        ascending=direction > 0, by_tag=field == "trace_tag",
    )  # fmt: skip
    return LISTING.reply(call, [shape.apply(trace) for trace in traces], total)


@routes("GET", "/traces/{id}", object_permission="trace_view", answer=_TRACE, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one trace."""
    id = call.path["id"]
    trace = call.platform.store.traces.get(id) if is_object_id(id) else None
    if trace is None:
        raise NotFound(f'Unable to identify resource with id "{id}".')
    call.authorize(trace["uid"])
    return trace
