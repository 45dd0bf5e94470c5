"""Masking of whatever a schema calls ``secret`` (content.md 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MASK = "********"


def mask_secrets(value: Any, schema: Any) -> Any:
    """The value with every part masked whose schema says ``secret: true``; unchanged parts are shared, nothing is changed in place.

    Looks through ``properties``, ``patternProperties``, ``additionalProperties``, ``items``, ``additionalItems`` and the alternatives of
    ``allOf``, ``anyOf`` and ``oneOf``. A secret object or array is masked as a whole.
    """
    if not isinstance(schema, Mapping):
        return value
    if schema.get("secret") is True:
        return MASK
    for keyword in ("allOf", "anyOf", "oneOf"):
        for alternative in schema.get(keyword) or ():
            value = mask_secrets(value, alternative)
    if isinstance(value, Mapping):
        return {key: _masked(item, property_schemas(schema, key)) for key, item in value.items()}
    if isinstance(value, list) and "items" in schema:
        return [_masked(item, _item_schemas(schema, index)) for index, item in enumerate(value)]
    return value


def mask_parameters(values: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters (or config values) masked by the schemas of their names."""
    return {name: mask_secrets(value, schemas.get(name)) for name, value in values.items()}


def _masked(value: Any, schemas: Iterable[Any]) -> Any:
    for schema in schemas:
        value = mask_secrets(value, schema)
    return value


def property_schemas(schema: Mapping[str, Any], key: Any) -> Iterator[Any]:
    """Schemas that hold for one key of an object."""
    properties = schema.get("properties") or {}
    if key in properties:
        yield properties[key]
    matched = False
    for pattern, pattern_schema in (schema.get("patternProperties") or {}).items():
        if re.search(pattern, str(key)):
            matched = True
            yield pattern_schema
    if not matched and key not in properties:
        yield schema.get("additionalProperties")


def _item_schemas(schema: Mapping[str, Any], index: int) -> Iterator[Any]:
    items = schema.get("items")
    if not isinstance(items, list):
        yield items
    elif index < len(items):
        yield items[index]
    else:
        yield schema.get("additionalItems")


def is_secret_at(schema: Any, path: Iterable[Any]) -> bool:
    """Is the value at this path of an instance, or something around it, secret?"""
    if not isinstance(schema, Mapping):
        return False
    if schema.get("secret") is True:
        return True
    steps = list(path)
    if not steps:
        return False
    below = property_schemas(schema, steps[0]) if isinstance(steps[0], str) else _item_schemas(schema, steps[0])
    return any(is_secret_at(sub, steps[1:]) for sub in below)
