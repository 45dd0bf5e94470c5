"""Filling in defaults, and letting optional properties be null, before a value is validated (content.md 3.1.2)."""

from __future__ import annotations

import copy
from typing import Any


def with_defaults(instance: Any, schema: dict[str, Any]) -> Any:
    """The instance with the schema's defaults for absent or null properties; the given instance stays as it is.

    Goes down ``properties`` of objects and ``items`` of arrays of objects, but makes no value where there is none. A default is left out when
    ``dependencies`` would then ask for properties that are absent and have no default.
    """
    if not isinstance(instance, dict):
        return instance
    properties = schema.get("properties") or {}
    filled = dict(instance)
    for name, property_schema in properties.items():
        if not isinstance(property_schema, dict):
            continue
        if "default" in property_schema and filled.get(name) is None and not _breaks_dependencies(name, instance, schema):
            filled[name] = copy.deepcopy(property_schema["default"])
        value = filled.get(name)
        if isinstance(value, dict):
            filled[name] = with_defaults(value, property_schema)
        elif isinstance(value, list) and isinstance(property_schema.get("items"), dict):
            filled[name] = [with_defaults(item, property_schema["items"]) for item in value]
    return filled


def _breaks_dependencies(name: str, instance: dict[str, Any], schema: dict[str, Any]) -> bool:
    needed = (schema.get("dependencies") or {}).get(name)
    if not isinstance(needed, list):
        return False
    properties = schema.get("properties") or {}
    return any(other not in instance and "default" not in properties.get(other, {}) for other in needed)


def allowing_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy of the schema in which each optional property whose default is absent or null also accepts null."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    return {**schema, "properties": {name: _property_allowing_null(value) for name, value in properties.items()}}


def _property_allowing_null(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    result = allowing_null(schema)
    items = result.get("items")
    if isinstance(items, dict) and items.get("properties"):
        result = {**result, "items": allowing_null(items)}
    optional = "default" in schema or not schema.get("required", False)
    if not optional or schema.get("default") is not None:
        return result
    return _accepting_null(result)


def _accepting_null(schema: dict[str, Any]) -> dict[str, Any]:
    result = dict(schema)
    for keyword in ("anyOf", "oneOf"):
        alternatives = result.get(keyword)
        if isinstance(alternatives, list) and {"type": "null"} not in alternatives:
            result[keyword] = [*alternatives, {"type": "null"}]
    kind = result.get("type")
    if isinstance(kind, str) and kind != "null":
        result["type"] = [kind, "null"]
    elif isinstance(kind, list) and "null" not in kind:
        result["type"] = [*kind, "null"]
    return result
