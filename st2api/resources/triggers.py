"""Trigger types, triggers, trigger instances and timers (api.md 4.11)."""

from __future__ import annotations

from typing import Any

from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Param, Reply, Routes
from st2api.lookup import found, found_by_id, protect, tell
from st2api.query import LIST_HEADERS, Filter, Listing
from st2common.exceptions import Invalid, NotFound
from st2common.models import TriggerInstance
from st2common.packs import metadata
from st2common.packs.schemas import SCHEMAS
from st2common.refs import is_object_id
from st2common.store.triggers import Triggers
from st2common.triggers import TIMER_TRIGGER_TYPES

routes = Routes("triggers")

# -- trigger types -------------------------------------------------------------------------------------------------------------------

TYPES = ContentList.of("trigger_type", Filter("name", "name"), Filter("pack", "pack"), limit=100, order=(("pack", 1), ("name", 1)), sortable=True)
_TYPE = schema_of("trigger_type")


@routes("GET", "/triggertypes", query=TYPES.listing.params(), headers=LIST_HEADERS, answer=TYPES.schema)
def list_types(call: Call) -> Reply:
    """List trigger types."""
    return TYPES.reply(call)


@routes("POST", "/triggertypes", body=SCHEMAS["trigger_type"], status=201, answer=_TYPE)
def create_type(call: Call) -> dict[str, Any]:
    """Create a trigger type."""
    values = metadata.validate("trigger_type", call.body)
    store = call.platform.store
    trigger_type = store.catalog.insert("trigger_type", values)
    if not trigger_type.parameters_schema:
        store.triggers.ensure_shadow(trigger_type)
    tell(call.platform, "trigger_type", "trigger")
    return trigger_type.to_api()


@routes("GET", "/triggertypes/{ref_or_id}", answer=_TYPE, metrics=False)
def get_type(call: Call) -> dict[str, Any]:
    """Get one trigger type."""
    return found(call, "trigger_type").to_api()


@routes("PUT", "/triggertypes/{ref_or_id}", body=SCHEMAS["trigger_type"], answer=_TYPE)
def update_type(call: Call) -> dict[str, Any]:
    """Replace a trigger type."""
    present = found(call, "trigger_type")
    protect(present.pack)
    if not call.body.get("id"):
        raise Invalid("'id' is a required property", "id")
    store = call.platform.store
    values = metadata.validate("trigger_type", call.body)
    protect(values["pack"])
    trigger_type = store.catalog.replace("trigger_type", present.id, values)
    if trigger_type is None:
        raise NotFound(f'Resource with a reference or id "{call.path["ref_or_id"]}" not found')
    if trigger_type.ref != present.ref or trigger_type.parameters_schema:
        _drop_shadow(store.triggers, present.ref)
    if not trigger_type.parameters_schema:
        store.triggers.ensure_shadow(trigger_type)
    tell(call.platform, "trigger_type", "trigger")
    return trigger_type.to_api()


@routes("DELETE", "/triggertypes/{ref_or_id}", status=204)
def delete_type(call: Call) -> None:
    """Delete a trigger type."""
    present = found(call, "trigger_type")
    protect(present.pack)
    _drop_shadow(call.platform.store.triggers, present.ref)
    call.platform.store.catalog.delete("trigger_type", present.id)
    tell(call.platform, "trigger_type", "trigger")


def _drop_shadow(triggers: Triggers, ref: str) -> None:
    shadow = triggers.by_ref(ref)
    if shadow is not None and shadow.shadow:
        triggers.delete(shadow.id)


# -- triggers ------------------------------------------------------------------------------------------------------------------------

_TRIGGER = schema_of("trigger")
_NO_TRIGGER = "Unable to find the TriggerDB instance. {{'id': '{}'}}"
_TRIGGER_BODY = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "required": True, "minLength": 1},
        "pack": {"type": "string", "required": True, "minLength": 1},
        "type": {"type": ["string", "null"]},
        "description": {"type": ["string", "null"]},
        "parameters": {"type": "object", "default": {}},
        "id": {"type": ["string", "null"]},
        "uid": {"type": "string"},
        "ref": {"type": "string"},
    },
    "additionalProperties": False,
}


@routes("GET", "/triggers", answer={"type": "array", "items": _TRIGGER})
def list_triggers(call: Call) -> list[dict[str, Any]]:
    """List triggers (all of them)."""
    return [trigger.to_api() for trigger in call.platform.store.catalog.find_all("trigger")]


def _trigger_values(body: dict[str, Any]) -> dict[str, Any]:
    values = {key: body.get(key) for key in ("name", "pack", "description")}
    made = Triggers.values(body.get("type") or "", body["parameters"])
    return {**values, **made, "type": body.get("type")}


@routes("POST", "/triggers", body=_TRIGGER_BODY, status=201, answer=_TRIGGER)
def create_trigger(call: Call) -> dict[str, Any]:
    """Create a trigger; one with that name that exists is returned as it is."""
    catalog = call.platform.store.catalog
    present = catalog.find("trigger", {"pack": call.body["pack"], "name": call.body["name"]})
    if present is None:
        present = catalog.insert("trigger", _trigger_values(call.body))
        tell(call.platform, "trigger")
    return present.to_api()


@routes("GET", "/triggers/{id}", answer=_TRIGGER, metrics=False)
def get_trigger(call: Call) -> dict[str, Any]:
    """Get one trigger."""
    return found_by_id(call, "trigger", call.path["id"], text=_NO_TRIGGER).to_api()


@routes("PUT", "/triggers/{id}", body=_TRIGGER_BODY, answer=_TRIGGER)
def update_trigger(call: Call) -> dict[str, Any]:
    """Replace a trigger."""
    present = found_by_id(call, "trigger", call.path["id"], text=_NO_TRIGGER)
    values = {**_trigger_values(call.body), "ref_count": present.ref_count, "shadow": present.shadow}
    trigger = call.platform.store.catalog.replace("trigger", present.id, values)
    if trigger is None:
        raise NotFound(_NO_TRIGGER.format(call.path["id"]))
    tell(call.platform, "trigger")
    return trigger.to_api()


@routes("DELETE", "/triggers/{id}", status=204)
def delete_trigger(call: Call) -> None:
    """Delete a trigger."""
    present = found_by_id(call, "trigger", call.path["id"], text=_NO_TRIGGER)
    call.platform.store.triggers.delete(present.id)
    tell(call.platform, "trigger")


# -- trigger instances ---------------------------------------------------------------------------------------------------------------

_INSTANCE = TriggerInstance.api_schema()
INSTANCES = Listing(
    filters=(
        Filter("trigger", "trigger", description="ref of the trigger"), Filter("timestamp_gt", "occurrence_time", "gt"),
        Filter("timestamp_lt", "occurrence_time", "lt"),
    ),
    order=(("occurrence_time", -1), ("trigger", 1)),
    limit=100,
    sortable=True,
    fields=frozenset(_INSTANCE["properties"]),
    sort_keys=(("timestamp", "occurrence_time"), ("occurrence_time", "occurrence_time"), ("status", "status")),
)  # fmt: skip


@routes("GET", "/triggerinstances", query=INSTANCES.params(Param("trigger_type", description="ref of the trigger type"), Param("status")),
        headers=LIST_HEADERS, answer={"type": "array", "items": {**_INSTANCE, "required": ["id"]}})  # fmt: skip
def list_instances(call: Call) -> Reply:
    """List trigger instances."""
    shape = INSTANCES.shape(call)
    store, criteria = call.platform.store, {}
    if call.query["trigger_type"] is not None:
        refs = [trigger.ref for trigger in store.triggers.by_type(call.query["trigger_type"])]
        if not refs:
            return Reply([])
        criteria["trigger"] = {"$in": refs}
    if call.query["status"] is not None:
        criteria["status"] = call.query["status"]
    documents, total = store.instances.page(INSTANCES.query(call, criteria=criteria))
    return INSTANCES.reply(call, [shape.apply(document.to_api()) for document in documents], total)


def _instance(call: Call) -> Any:
    id = call.path["id"]
    document = call.platform.store.instances.get(id) if is_object_id(id) else None
    if document is None:
        raise NotFound(f'Unable to identify resource with id "{id}".')
    return document


@routes("GET", "/triggerinstances/{id}", answer=_INSTANCE, metrics=False)
def get_instance(call: Call) -> dict[str, Any]:
    """Get one trigger instance."""
    return _instance(call).to_api()


@routes("POST", "/triggerinstances/{id}/re_emit", answer={"type": "object"})
def re_emit(call: Call) -> dict[str, Any]:
    """Dispatch an event again."""
    instance = _instance(call)
    payload = {**(instance.payload or {}), "__context": {"original_id": str(instance.id)}}
    call.platform.dispatcher.dispatch(instance.trigger, payload)
    return {"message": f"Trigger instance {instance.id} succesfully re-sent.", "payload": payload}


# -- timers --------------------------------------------------------------------------------------------------------------------------


@routes("GET", "/timers", permission="timer_list", query=(Param("timer_type", description="one of the three timer types"),),
        answer={"type": "array", "items": _TRIGGER})  # fmt: skip
def list_timers(call: Call) -> list[dict[str, Any]]:
    """List timers."""
    wanted = call.query["timer_type"]
    if wanted is not None and wanted not in TIMER_TRIGGER_TYPES:
        raise Invalid(f"Timer type {wanted} not in supported types - {list(TIMER_TRIGGER_TYPES)}.")
    types = [wanted] if wanted else list(TIMER_TRIGGER_TYPES)
    return [trigger.to_api() for trigger in call.platform.store.catalog.find_all("trigger", {"type": {"$in": types}})]


@routes("GET", "/timers/{ref_or_id}", object_permission="timer_view", answer=_TRIGGER, metrics=False)
def get_timer(call: Call) -> dict[str, Any]:
    """Get one timer."""
    text = 'Unable to identify resource with id "{}".'
    trigger = found(call, "trigger", text=text)
    if trigger.type not in TIMER_TRIGGER_TYPES:
        raise NotFound(text.format(call.path["ref_or_id"]))
    call.authorize(f"timer:{trigger.pack}:{trigger.name}")
    return trigger.to_api()
