"""Runner types and sensor types: what can be switched on and off, nothing more (api.md 4.2, 4.11)."""

from __future__ import annotations

from typing import Any

from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Reply, Routes
from st2api.lookup import found, protect, tell
from st2api.query import LIST_HEADERS, Filter

routes = Routes("runner and sensor types")

RUNNERS = ContentList.of("runner_type", Filter("id", "_id", "ids"), Filter("name", "name", "one_of"), limit=100, order=(("name", 1),), sortable=True)
SENSORS = ContentList.of(
    "sensor", Filter("id", "_id", "ids"), Filter("name", "name"), Filter("pack", "pack"), Filter("trigger", "trigger_types"),
    Filter("enabled", "enabled", "enabled"), limit=None, order=(("pack", 1), ("name", 1)),
)  # fmt: skip
_RUNNER, _SENSOR = schema_of("runner_type"), schema_of("sensor")


@routes("GET", "/runnertypes", permission="runner_type_list", query=RUNNERS.listing.params(), headers=LIST_HEADERS, answer=RUNNERS.schema)
def list_runners(call: Call) -> Reply:
    """List runner types."""
    return RUNNERS.reply(call)


def _runner(call: Call) -> Any:
    wanted = call.path["name_or_id"]
    catalog = call.platform.store.catalog
    runner = catalog.by_id("runner_type", wanted) or found(call, "runner_type", wanted)
    call.authorize(runner)
    return runner


@routes("GET", "/runnertypes/{name_or_id}", object_permission="runner_type_view", answer=_RUNNER, metrics=False)
def get_runner(call: Call) -> dict[str, Any]:
    """Get one runner type."""
    return _runner(call).to_api()


@routes("PUT", "/runnertypes/{name_or_id}", object_permission="runner_type_modify", answer=_RUNNER,
        body={"type": "object", "properties": {"enabled": {"type": "boolean", "required": True}}, "additionalProperties": True})  # fmt: skip
def update_runner(call: Call) -> dict[str, Any]:
    """Switch a runner type on or off."""
    runner = _runner(call)
    call.platform.store.catalog.set_fields("runner_type", runner.id, {"enabled": call.body["enabled"]})
    tell(call.platform, "runner_type")
    return {**runner.to_api(), "enabled": call.body["enabled"]}


@routes("GET", "/sensortypes", permission="sensor_type_list", query=SENSORS.listing.params(), headers=LIST_HEADERS, answer=SENSORS.schema)
def list_sensors(call: Call) -> Reply:
    """List sensor types."""
    return SENSORS.reply(call)


@routes("GET", "/sensortypes/{ref_or_id}", object_permission="sensor_type_view", answer=_SENSOR, metrics=False)
def get_sensor(call: Call) -> dict[str, Any]:
    """Get one sensor type."""
    sensor = found(call, "sensor")
    call.authorize(sensor)
    return sensor.to_api()


@routes("PUT", "/sensortypes/{ref_or_id}", object_permission="sensor_type_modify", answer=_SENSOR,
        body={"type": "object", "properties": {"enabled": {"type": "boolean", "default": False}}, "additionalProperties": True})  # fmt: skip
def update_sensor(call: Call) -> dict[str, Any]:
    """Switch a sensor on or off."""
    sensor = found(call, "sensor")
    call.authorize(sensor)
    protect(sensor.pack)
    call.platform.store.catalog.set_fields("sensor", sensor.id, {"enabled": call.body["enabled"]})
    tell(call.platform, "sensor")
    return {**sensor.to_api(), "enabled": call.body["enabled"]}
