"""The schema that parameter schemas themselves must fit (content.md 3.1.1).

Draft 4, except that ``required`` is a boolean on the property, and with ``secret``, ``immutable`` and ``position`` added. The top level of
a parameter is narrower than what lies below it: no ``format``, and ``type`` is one name.
"""

from __future__ import annotations

from typing import Any

PARAMETER_NAME = r"^\w+$"
TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]

_COUNT = {"type": "integer", "minimum": 0}
_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}


def _keywords(nested: dict[str, Any]) -> dict[str, Any]:
    """Keyword -> its schema, where ``nested`` is what schemas inside the keywords must fit."""
    schema_list = {"type": "array", "minItems": 1, "items": nested}
    schema_map = {"type": "object", "additionalProperties": nested}
    return {
        "id": {"type": "string"},
        "$schema": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "default": {},
        "multipleOf": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "maximum": {"type": "number"},
        "exclusiveMaximum": {"type": "boolean"},
        "minimum": {"type": "number"},
        "exclusiveMinimum": {"type": "boolean"},
        "maxLength": _COUNT,
        "minLength": _COUNT,
        "pattern": {"type": "string", "format": "regex"},
        "additionalItems": {"anyOf": [{"type": "boolean"}, nested]},
        "items": {"anyOf": [nested, schema_list]},
        "maxItems": _COUNT,
        "minItems": _COUNT,
        "uniqueItems": {"type": "boolean"},
        "maxProperties": _COUNT,
        "minProperties": _COUNT,
        "required": {"type": "boolean"},
        "secret": {"type": "boolean"},
        "additionalProperties": {"anyOf": [{"type": "boolean"}, nested]},
        "definitions": schema_map,
        "properties": schema_map,
        "patternProperties": schema_map,
        "dependencies": {"type": "object", "additionalProperties": {"anyOf": [nested, _NAMES]}},
        "enum": {"type": "array", "minItems": 1, "uniqueItems": True},
        "type": {"anyOf": [{"enum": TYPES}]},
        "position": {"type": "number", "minimum": 0},
        "immutable": {"type": "boolean"},
        "allOf": schema_list,
        "anyOf": schema_list,
        "oneOf": schema_list,
        "not": nested,
    }


def _nested_schema() -> dict[str, Any]:
    """The schema of schemas below the top level. It refers to itself: ``#/definitions/nested`` of the document that holds it."""
    keywords = _keywords({"$ref": "#/definitions/nested"})
    keywords["format"] = {"type": "string"}
    keywords["type"] = {"anyOf": [{"enum": TYPES}, {"type": "array", "items": {"enum": TYPES}, "minItems": 1, "uniqueItems": True}]}
    return {"type": "object", "properties": keywords, "additionalProperties": False}


NESTED_SCHEMA: dict[str, Any] = _nested_schema()
"""Goes into ``definitions.nested`` of every schema that uses one of the others here."""

PARAMETER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": _keywords({"$ref": "#/definitions/nested"}),
    "additionalProperties": False,
}
"""Schema of one parameter schema; must be embedded in a document with ``definitions.nested``."""

PARAMETERS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "patternProperties": {PARAMETER_NAME: PARAMETER_SCHEMA},
    "additionalProperties": False,
    "default": {},
}
"""Schema of a mapping of parameter names to parameter schemas."""

OUTPUT_SCHEMA_DEFAULTS: dict[str, Any] = {
    "additionalItems": {},
    "items": {},
    "uniqueItems": False,
    "required": False,
    "secret": False,
    "additionalProperties": {},
    "definitions": {},
    "properties": {},
    "patternProperties": {},
    "immutable": False,
}
"""What an action made through the API shows in its output schema besides what it was given (api.md 4.1; files show {})."""
