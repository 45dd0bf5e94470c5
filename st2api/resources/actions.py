"""Actions and their views (api.md 4.1)."""

from __future__ import annotations

from typing import Any

from st2api import action_files
from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Reply, Routes
from st2api.lookup import found, protect, tell
from st2api.query import LIST_HEADERS, Filter, Listing
from st2common.exceptions import Invalid, NotFound
from st2common.interpreters import SYSTEM_PACKS
from st2common.packs import metadata
from st2common.packs.schemas import SCHEMAS
from st2common.parameters import effective_schema
from st2common.security.access import authorize

routes = Routes("actions")

ACTIONS = ContentList.of(
    "action", Filter("id", "_id", "ids"), Filter("name", "name"), Filter("pack", "pack"), Filter("tags", "tags_index", description="name of a tag"),
    limit=None, order=(("pack", 1), ("name", 1)), excludable=frozenset({"parameters", "notify"}),
)  # fmt: skip
_OVERVIEW = Listing(
    limit=None, order=(("pack", 1), ("name", 1)), fields=ACTIONS.listing.fields, always=ACTIONS.listing.always, excludable=ACTIONS.listing.excludable
)
_ACTION = schema_of("action")
_DATA_FILES = {
    "type": "array",
    "default": [],
    "items": {
        "type": "object",
        "properties": {"file_path": {"type": "string", "required": True}, "content": {"type": "string", "required": True}},
        "additionalProperties": False,
    },
}
_BODY = {**SCHEMAS["action"], "properties": {**SCHEMAS["action"]["properties"], "data_files": _DATA_FILES}}
_UPDATE = {**_BODY, "properties": {**_BODY["properties"], "pack": {"type": "string"}}}
"""On update the pack defaults to the old one."""


@routes("GET", "/actions", permission="action_list", query=ACTIONS.listing.params(), headers=LIST_HEADERS, answer=ACTIONS.schema)
def list_all(call: Call) -> Reply:
    """List actions."""
    return ACTIONS.reply(call)


@routes("POST", "/actions", object_permission="action_create", body=_BODY, status=201, answer=_ACTION)
def create(call: Call) -> dict[str, Any]:
    """Create an action, and the files that come with it."""
    call.authorize(f"action:{call.body['pack']}:{call.body['name']}")
    files, values = _checked(call, call.body)
    catalog = call.platform.store.catalog
    action = catalog.insert("action", values)
    try:
        action_files.write(call.platform, action, files)
    except BaseException:
        catalog.delete("action", action.id)
        raise
    tell(call.platform, "action")
    return action.to_api()


def _checked(call: Call, body: dict[str, Any]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """(data files, values for the store).

    Raises:
        Invalid: a check of api.md 4.1 fails.
    """
    values = dict(body)
    files = values.pop("data_files", [])
    protect(values.get("pack"))
    values = metadata.validate("action", values)
    action_files.actions_directory(call.platform.config, values["pack"])
    if call.platform.store.catalog.by_ref("runner_type", values["runner_type"]) is None:
        raise Invalid(f'The specified runner, "{values["runner_type"]}", is not registered.', "runner_type")
    return files, values


@routes("GET", "/actions/{ref_or_id}", object_permission="action_view", answer=_ACTION, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one action."""
    action = found(call, "action")
    call.authorize(action)
    return action.to_api()


@routes("PUT", "/actions/{ref_or_id}", object_permission="action_modify", body=_UPDATE, answer=_ACTION)
def update(call: Call) -> dict[str, Any]:
    """Replace an action."""
    action = found(call, "action")
    call.authorize(action)
    protect(action.pack)
    files, values = _checked(call, {**call.body, "pack": call.body.get("pack") or action.pack})
    replaced = call.platform.store.catalog.replace("action", action.id, values)
    if replaced is None:
        raise NotFound(f'Resource with a reference or id "{call.path["ref_or_id"]}" not found')
    action_files.write(call.platform, replaced, files)
    tell(call.platform, "action")
    return replaced.to_api()


_DELETE = {"type": "object", "properties": {"remove_files": {"type": "boolean", "default": False}}, "additionalProperties": False}


@routes("DELETE", "/actions/{ref_or_id}", object_permission="action_delete", body=_DELETE, status=204)
def delete(call: Call) -> None:
    """Delete an action."""
    action = found(call, "action")
    call.authorize(action)
    protect(action.pack)
    call.platform.store.catalog.delete("action", action.id)
    if call.body["remove_files"]:
        action_files.remove(call.platform, action)
    tell(call.platform, "action")


_CLONE = {
    "type": "object",
    "properties": {
        "dest_pack": {"type": "string", "required": True},
        "dest_action": {"type": "string", "required": True, "pattern": r"^[^/\\\x00]+$"},
        "overwrite": {"type": "boolean", "default": False},
    },
    "additionalProperties": False,
}


@routes("POST", "/actions/{ref_or_id}/clone", object_permission="action_view", body=_CLONE, status=201, answer=_ACTION)
def clone(call: Call) -> dict[str, Any]:
    """Copy an action with its files to another name or pack."""
    source = found(call, "action")
    call.authorize(source)
    pack, name = call.body["dest_pack"], call.body["dest_action"]
    call.authorize(f"action:{pack}:{name}", "action_create")
    protect(pack, SYSTEM_PACKS)
    catalog = call.platform.store.catalog
    present = catalog.by_ref("action", f"{pack}.{name}")
    if present is not None:
        if not call.body["overwrite"]:
            raise Invalid("The requested destination action already exists")
        authorize(call.requester, "action_delete", present)
    values = action_files.clone(call.platform, source, pack, name)
    action, _ = catalog.upsert("action", values)
    tell(call.platform, "action")
    return action.to_api()


# -- views ---------------------------------------------------------------------------------------------------------------------------


def _merged_parameters(call: Call, action: Any, runners: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The runner's parameters, changed and extended by the action's."""
    name = action.runner_type
    if name not in runners:
        runner = call.platform.store.catalog.by_ref("runner_type", name)
        if runner is None:
            raise NotFound(f'Referenced runner type "{name}" doesnt exist')
        runners[name] = runner.runner_parameters or {}
    return effective_schema(runners[name], action.parameters or {})


@routes("GET", "/actions/views/parameters/{ref_or_id}", object_permission="action_view",
        answer={"type": "object", "properties": {"parameters": {"type": "object"}}, "required": ["parameters"]})  # fmt: skip
def parameters(call: Call) -> dict[str, Any]:
    """Get the effective parameters of an action."""
    action = found(call, "action", text='Database lookup for ref="{0}" resulted in exception. Referenced action "{0}" doesnt exist')
    call.authorize(action)
    return {"parameters": _merged_parameters(call, action, {})}


@routes("GET", "/actions/views/overview", permission="action_list", query=_OVERVIEW.params(), headers=LIST_HEADERS, answer=ACTIONS.schema)
def list_overview(call: Call) -> Reply:
    """List actions with their effective parameters."""
    shape = _OVERVIEW.shape(call)
    documents, total = call.platform.store.catalog.page("action", _OVERVIEW.query(call))
    runners: dict[str, dict[str, Any]] = {}
    forms = [shape.apply({**one.to_api(), "parameters": _merged_parameters(call, one, runners)}) for one in documents]
    return _OVERVIEW.reply(call, forms, total)


@routes("GET", "/actions/views/overview/{ref_or_id}", object_permission="action_view", answer=_ACTION)
def overview(call: Call) -> dict[str, Any]:
    """Get one action with its effective parameters."""
    action = found(call, "action")
    call.authorize(action)
    return {**action.to_api(), "parameters": _merged_parameters(call, action, {})}


@routes("GET", "/actions/views/entry_point/{ref_or_id}", object_permission="action_view", media="text/plain")
def entry_point(call: Call) -> Reply:
    """Get the source of an action's entry point."""
    action = found(call, "action")
    call.authorize(action)
    file = action_files.entry_point(call.platform.config, action)
    if file is None:
        raise NotFound(f"Action ref_or_id={call.path['ref_or_id']} has no entry_point to output")
    return Reply(data=file.read_bytes(), media=action_files.media_type(file))
