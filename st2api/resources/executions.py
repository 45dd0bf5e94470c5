"""Executions: run, list, see, control (api.md 4.3)."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
from bson import ObjectId

from st2api import execution_forms
from st2api.endpoint import SHOW_SECRETS, TEXT, Call, Param, Reply, Routes
from st2api.execution_forms import EXECUTION_SCHEMA, accepted, forms, stored_fields, wanted
from st2api.query import LIST_HEADERS, Criteria, Filter, Listing, object_ids
from st2api.resources.workflows import GRAPH_SCHEMA
from st2common import states
from st2common.exceptions import Invalid, NotFound
from st2common.execution.control import NotCancelable
from st2common.execution.request import Request
from st2common.models.execution import link, liveaction_id
from st2common.packs.metadata import normalise_notify
from st2common.packs.schemas import NOTIFY_SCHEMA
from st2common.refs import is_object_id
from st2common.security.access import authorize
from st2common.store.executions import packed
from st2common.store.query import Query

routes = Routes("executions")

MAX_RESULT_SIZE = 14 * 1024 * 1024
MAX_DELAY_MS = 365 * 24 * 3600 * 1000
_ONE = {"object_permission": "execution_view"}
_SHAPE = (Param("include_attributes", "array", description="only these attributes"),
          Param("exclude_attributes", "array", description="without these attributes"), SHOW_SECRETS)  # fmt: skip


def load(
    call: Call, fields: list[str] | None = None, *, permission: str | None = None, text: str = 'Unable to identify resource with id "{}".'
) -> Any:
    """The execution that the path names (``last``: the one requested last), authorized.

    Raises:
        NotFound: unknown or malformed id.
    """
    id = call.path["id"]
    executions = call.platform.store.executions
    document = executions.newest() if id == "last" else executions.get(id, fields) if is_object_id(id) else None
    if document is None:
        raise NotFound(text.format(id))
    call.authorize(document, permission)
    return document


# -- run -----------------------------------------------------------------------------------------------------------------------------

_PARAMETERS = {"type": "object", "default": {}, "patternProperties": {r"^\w+$": {}}, "additionalProperties": False}
_DELAY = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_DELAY_MS}
_RUN = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "required": True},
        "parameters": _PARAMETERS,
        "user": {"type": ["string", "null"]},
        "context": {"type": "object", "default": {}},
        "notify": {**NOTIFY_SCHEMA, "default": {}},
        "delay": _DELAY,
        "callback": {"type": "object", "default": {}},
    },
    "additionalProperties": True,
}


@routes("POST", "/executions", object_permission="action_execute", body=_RUN, status=201, answer=EXECUTION_SCHEMA)
def create(call: Call) -> dict[str, Any]:
    """Run an action."""
    body = call.body
    context = {**body["context"], **_header_context(call)}
    authorize_action(call, body["action"])
    parent = (context.get("parent") or {}).get("execution_id") if isinstance(context.get("parent"), dict) else None
    request = Request(
        action=body["action"], parameters=body["parameters"], user=call.acting_user(body.get("user")), context=context,
        notify=normalise_notify(body["notify"]) or None, delay_ms=body.get("delay") or 0, callback=body["callback"],
        parent=parent if is_object_id(parent) else None,
    )  # fmt: skip
    if call.platform.config.rbac.enable:
        request.context = {**context, "rbac": {"user": call.requester.user, "roles": list(call.requester.roles)}}
    return accepted(call, call.platform.requests.submit(request))


def authorize_action(call: Call, ref: str) -> None:
    """The permission to run an action. An unknown one is told as such: 400, before any permission."""
    if call.requester.grants is None:
        return
    action = call.platform.store.catalog.by_ref("action", ref)
    if action is None:
        raise Invalid(f'Action "{ref}" cannot be found.')
    authorize(call.requester, "action_execute", action)


def _header_context(call: Call) -> dict[str, Any]:
    text = call.headers.get("st2-context")
    if not text:
        return {}
    try:
        value = orjson.loads(text.encode("latin-1"))
    except (orjson.JSONDecodeError, UnicodeEncodeError) as error:
        raise Invalid(f"Unable to convert st2-context from the headers into JSON: {error}.") from error
    if not isinstance(value, dict):
        raise Invalid(f"Unable to convert st2-context from the headers into JSON (was {type(value)}).")
    return value


_NAMES = {"type": ["array", "null"], "default": [], "items": {"type": "string"}}
_RERUN = {
    "type": "object",
    "properties": {"parameters": _PARAMETERS, "tasks": _NAMES, "reset": _NAMES, "user": {"type": ["string", "null"]}, "delay": _DELAY},
    "additionalProperties": True,
}


@routes("POST", "/executions/{id}/re_run", object_permission="execution_rerun", body=_RERUN, status=201, answer=EXECUTION_SCHEMA,
        query=(Param("no_merge", "boolean", False, "accepted and ignored, as upstream does"),))  # fmt: skip
def rerun(call: Call) -> dict[str, Any]:
    """Run an execution's action again."""
    document = load(call)
    authorize_action(call, document["action_ref"])
    body = call.body
    user = call.acting_user(body.get("user"))
    made = call.platform.control.rerun(
        document, user=user, parameters=body["parameters"], tasks=body["tasks"], reset=body["reset"], delay_ms=body.get("delay") or 0
    )
    return accepted(call, made)


# -- list ----------------------------------------------------------------------------------------------------------------------------


def _linked(kind: str) -> Any:
    return lambda call, value: {"links": link(kind, value)}


def _of_liveaction(call: Call, value: str) -> Criteria:
    return {"_id": {"$in": [liveaction_id(id) for id in object_ids(value.split(","))]}}


def _of_trigger(call: Call, value: str) -> Criteria:
    """By ref, or (upstream) by the trigger's name."""
    named = call.platform.store.catalog.find_all("trigger", {"name": value})
    return {"trigger_ref": {"$in": sorted({value, f"core.{value}", *(trigger.ref for trigger in named)})}}


def _of_trigger_type(call: Call, value: str) -> Criteria:
    """By ref, or (upstream) by the type's name."""
    named = call.platform.store.catalog.find_all("trigger_type", {"name": value})
    return {"trigger_type": {"$in": sorted({value, f"core.{value}", *(one.ref for one in named)})}}


LISTING = Listing(
    filters=(
        Filter("id", "_id", "ids", description="ids, comma separated"),
        Filter("status", "status"),
        Filter("parent", "parent", "custom", _linked("parent"), "id of the parent execution; null: top level only"),
        Filter("action", "action_ref"),
        Filter("runner", "runner_name"),
        Filter("user", "user"),
        Filter("liveaction", "_id", "custom", _of_liveaction),
        Filter("rule", "rule_name", description="name of the rule"),
        Filter("trigger", "trigger_ref", "custom", _of_trigger),
        Filter("trigger_type", "trigger_type", "custom", _of_trigger_type),
        Filter("trigger_instance", "trigger_instance_id", "custom", _linked("instance")),
        Filter("timestamp", "start_us", "moment"),
        Filter("timestamp_gt", "start_us", "gt"),
        Filter("timestamp_lt", "start_us", "lt"),
    ),
    order=(("start_us", -1), ("action_ref", 1)),
    limit=100,
    sortable=True,
    sort_keys=(("start_timestamp", "start_us"), ("end_timestamp", "end_us")),
)
_SORTS = (Param("sort_asc", description="any value: oldest first"), Param("sort_desc", description="any value: newest first"), SHOW_SECRETS)


@routes("GET", "/executions", permission="execution_list", query=LISTING.params(*_SORTS), headers=LIST_HEADERS,
        answer={"type": "array", "items": EXECUTION_SCHEMA})  # fmt: skip
def list_all(call: Call) -> Reply:
    """List executions."""
    attributes = wanted(call)
    asked = call.query
    ascending = bool(asked["timestamp_gt"] or asked["sort_asc"]) and not (asked["timestamp_lt"] or asked["sort_desc"])
    query = LISTING.query(call, order=[("start_us", 1), ("action_ref", 1)] if ascending else None)
    query.projection = stored_fields(attributes, "start_us")
    if query.limit is not None and list(query.sort) == list(LISTING.order):
        known = call.platform.pages.newest(query.filter, query.limit, query.offset, attributes, query.projection, show_secrets=call.shows_secrets())
        if known is not None:
            return LISTING.reply(call, *known)
    page = call.platform.store.executions.page(query)
    return LISTING.reply(call, forms(call, page.documents, attributes), page.total)


_FILTER_FIELDS = {
    "action": "action_ref", "status": "status", "rule": "rule_name", "runner": "runner_name", "trigger": "trigger_ref",
    "trigger_type": "trigger_type", "user": "user",
}  # fmt: skip


@routes("GET", "/executions/views/filters", permission="execution_views_filters_list", answer={"type": "object"},
        query=(Param("types", "array", description="only these filters"),))  # fmt: skip
def filter_values(call: Call) -> dict[str, list[str]]:
    """The values that executions can be filtered by."""
    types = call.query["types"]
    collection = call.platform.store.executions.collection
    return {
        name: sorted(str(value) for value in collection.distinct(field) if value is not None)
        for name, field in _FILTER_FIELDS.items()
        if not types or name in types
    }


# -- see -----------------------------------------------------------------------------------------------------------------------------


@routes("GET", "/executions/{id}", **_ONE, answer=EXECUTION_SCHEMA, metrics=False,
        query=(*_SHAPE, Param("max_result_size", "integer", description="leave the result out when it has more bytes")))  # fmt: skip
def get(call: Call) -> dict[str, Any]:
    """Get one execution."""
    attributes = wanted(call)
    largest = call.query["max_result_size"]
    if largest is not None and largest <= 0:
        raise Invalid("max_result_size must be a positive number")
    if largest is not None and largest > MAX_RESULT_SIZE:
        raise Invalid("max_result_size query parameter must be smaller than 14 MB")
    document = load(call, stored_fields(attributes, "start_us", "result_size"))
    if largest is not None and "result" in attributes:
        size = document.get("result_size")
        if size is None:
            size = len(call.platform.view.result_text(document, False))
        if size > largest:
            attributes = attributes - {"result"}
    return forms(call, [document], attributes)[0]


@routes("GET", "/executions/{id}/attribute/{attribute}", **_ONE, answer={}, query=(SHOW_SECRETS,))
def attribute(call: Call) -> Any:
    """Get one attribute of an execution: result, trigger_instance or status."""
    name = call.path["attribute"]
    if name not in execution_forms.EXCLUDABLE:
        raise Invalid(f"Invalid attribute type: {name}. Valid attributes: {', '.join(sorted(execution_forms.EXCLUDABLE))}.")
    document = load(call, stored_fields(frozenset({name})))
    return forms(call, [document], frozenset({name}))[0].get(name, {})


@routes("GET", "/executions/{id}/output", **_ONE, media=TEXT,
        query=(Param("output_type", default="all", description="all, stdout, stderr or another type"),
               Param("output_format", default="raw", description="only raw")))  # fmt: skip
def output(call: Call) -> Reply:
    """Get what an execution has printed so far."""
    document = load(call, [*stored_fields(frozenset()), "output"])
    chunks = call.platform.store.outputs.read(str(document["_id"])) + list(document.get("output") or ())
    kind = call.query["output_type"]
    text = "".join(chunk[2] for chunk in chunks if kind in ("all", chunk[1]))
    return Reply(data=text.encode(), media=f"{TEXT}; charset=utf-8")


@routes("GET", "/executions/{id}/result", **_ONE, media="text/json",
        query=(Param("download", "boolean", False), Param("compress", "boolean", False), Param("pretty_format", "boolean", False)))  # fmt: skip
def result(call: Call) -> Reply:
    """Get the raw result of an execution."""
    fields = stored_fields(frozenset({"result"}))
    document = load(call, fields, text="The resource could not be found.")
    data = call.platform.view.result_text(document, call.platform.config.api.mask_secrets)
    if call.query["pretty_format"]:
        data = orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2)
    name, media, headers = f"execution_{document['_id']}_result.json", "text/json", {}
    if call.query["compress"]:
        data, name, media = gzip.compress(data, 6, mtime=0), f"{name}.gz", "application/x-gzip"
        headers["Content-Encoding"] = "gzip"
    if call.query["download"]:
        headers["Content-Disposition"] = f"attachment; filename={name}"
    return Reply(data=data, media=media, headers=headers)


@routes("GET", "/executions/{id}/graph", object_permission="execution_view", answer=GRAPH_SCHEMA)
def graph(call: Call) -> dict[str, Any]:
    """Get a workflow's execution as nodes and edges, with the state of each task."""
    from st2api import workflow_graphs  # the workflow language is loaded when it is first needed

    return workflow_graphs.of_execution(call.platform, load(call))


@routes("GET", "/executions/{id}/children", **_ONE, answer={"type": "array", "items": EXECUTION_SCHEMA},
        query=(Param("depth", "integer", -1, "levels to go down; -1 = all"), Param("result_fmt", description="sorted: by start time"),
               *_SHAPE))  # fmt: skip
def children(call: Call) -> list[dict[str, Any]]:
    """List the descendants of an execution."""
    attributes = wanted(call)
    root = str(load(call, stored_fields(frozenset()))["_id"])
    below = _descendants(call, root, call.query["depth"])
    order = _depth_first(root, below)
    page = call.platform.store.executions.page(
        Query({"_id": {"$in": [ObjectId(id) for id in order]}}, projection=stored_fields(attributes, "start_us"))
    )
    by_id = {str(row["_id"]): row for row in page.documents}
    rows = [by_id[id] for id in order if id in by_id]
    if call.query["result_fmt"] == "sorted":
        rows.sort(key=lambda row: row["start_us"])
    return forms(call, rows, attributes)


def _descendants(call: Call, root: str, depth: int) -> dict[str, list[str]]:
    """Ids of children by parent, level by level."""
    below: dict[str, list[str]] = {}
    level = [root]
    while level and depth != 0:
        found = call.platform.store.executions.child_ids(level)
        below.update(found)
        level = [id for ids in found.values() for id in ids if id not in below]
        depth -= 1
    return below


def _depth_first(root: str, below: dict[str, list[str]]) -> list[str]:
    order: list[str] = []
    stack = list(reversed(below.get(root, [])))
    while stack:
        id = stack.pop()
        order.append(id)
        stack += reversed(below.get(id, []))
    return order


# -- control -------------------------------------------------------------------------------------------------------------------------

_CHANGE = {
    "type": "object",
    "properties": {"status": {"type": "string", "enum": list(states.STATUSES)}, "result": {}},
    "additionalProperties": False,
}


@routes("PUT", "/executions/{id}", object_permission="execution_stop", body=_CHANGE, answer=EXECUTION_SCHEMA, query=(SHOW_SECRETS,))
def update(call: Call) -> dict[str, Any]:
    """Pause, resume or cancel an execution, or report what became of it."""
    document = load(call)
    if document["status"] in states.FINAL:
        raise Invalid("Execution is already in completed state.")
    status, control, user = call.body.get("status"), call.platform.control, call.requester.user
    if status in (states.CANCELED, states.CANCELING):
        try:
            document = control.cancel(document, user)
        except NotCancelable as error:
            raise Invalid(f"Failed updating execution. {error}") from error
    elif status in (states.PAUSING, states.PAUSED):
        document = control.pause(document, user)
    elif status == states.RESUMING:
        document = control.resume(document, user)
    else:
        document = _write(call, document, status)
    return forms(call, [document])[0]


def _write(call: Call, document: dict[str, Any], status: str | None) -> dict[str, Any]:
    """Store a status and a result as given: somebody outside does the work of this execution."""
    platform, id = call.platform, document["_id"]
    fields = packed(result_text=orjson.dumps(call.body["result"])) if call.body.get("result") is not None else {}
    unfinished = [one for one in states.STATUSES if one not in states.FINAL]
    if status is None or status == document["status"]:
        if fields:
            platform.store.executions.set_fields(id, fields)
    else:
        debt, owed = platform.aftermath.debt(document, status) if status in states.FINAL else ({}, None)
        if not platform.store.executions.transition(id, status, sources=unfinished, fields={**fields, **debt}, new_link=owed):
            raise Invalid("Execution is already in completed state.")
    current = platform.store.executions.get(id) or document
    if current["status"] in states.FINAL:
        platform.aftermath.ended(current)
    else:
        platform.aftermath.changed(current)
    return current


@routes("DELETE", "/executions/{id}", object_permission="execution_stop", answer={"type": "object"}, query=(SHOW_SECRETS,))
def cancel(call: Call) -> dict[str, Any]:
    """Cancel an execution. One that cannot be cancelled is answered 200 with a faultstring."""
    document = load(call)
    try:
        document = call.platform.control.cancel(document, call.requester.user)
    except NotCancelable as error:
        return {"faultstring": str(error)}
    return forms(call, [document])[0]
