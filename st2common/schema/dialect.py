"""The product's JSON-schema dialect as data: which keywords a schema may use (content.md 3.1.1).

Draft 4, except that ``required`` is a boolean on the property, and with the extra keywords ``secret``, ``immutable`` and ``position``.
``$ref`` is accepted although upstream refuses it: packs exist that use it.
"""

from __future__ import annotations

from typing import Any

_SIMPLE_TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"]
_SCHEMA = {"$ref": "#"}
_NESTED = {"$ref": "#/definitions/schema"}


def _keywords(nested: dict[str, Any]) -> dict[str, Any]:
    """Keyword to schema of its value; ``nested`` is the schema of schemas below."""
    schemas = {"type": "array", "minItems": 1, "items": nested}
    schema_mapping = {"type": "object", "additionalProperties": nested, "default": {}}
    natural = {"type": "integer", "minimum": 0}
    flag = {"type": "boolean", "default": False}
    texts = {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}}
    return {
        "id": {"type": "string"},
        "$schema": {"type": "string"},
        "$ref": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "default": {},
        "multipleOf": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "maximum": {"type": "number"},
        "exclusiveMaximum": flag,
        "minimum": {"type": "number"},
        "exclusiveMinimum": flag,
        "maxLength": natural,
        "minLength": natural,
        "pattern": {"type": "string", "format": "regex"},
        "additionalItems": {"anyOf": [{"type": "boolean"}, nested]},
        "items": {"anyOf": [nested, schemas]},
        "maxItems": natural,
        "minItems": natural,
        "uniqueItems": flag,
        "maxProperties": natural,
        "minProperties": natural,
        "required": flag,
        "secret": flag,
        "additionalProperties": {"anyOf": [{"type": "boolean"}, nested]},
        "definitions": schema_mapping,
        "properties": schema_mapping,
        "patternProperties": schema_mapping,
        "dependencies": {"type": "object", "additionalProperties": {"anyOf": [nested, texts]}},
        "enum": {"type": "array"},
        "position": {"type": "number", "minimum": 0},
        "immutable": flag,
        "allOf": schemas,
        "anyOf": schemas,
        "oneOf": schemas,
        "not": nested,
    }


def _metaschema(nested: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**_keywords(nested), **more},
        "dependencies": {"exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"]},
        "additionalProperties": False,
    }


_ANY_SCHEMA_KEYWORDS = {
    "format": {"type": "string"},
    "type": {"anyOf": [{"enum": _SIMPLE_TYPES}, {"type": "array", "items": {"enum": _SIMPLE_TYPES}, "minItems": 1, "uniqueItems": True}]},
}

SCHEMA_METASCHEMA: dict[str, Any] = _metaschema(_SCHEMA, _ANY_SCHEMA_KEYWORDS)
"""What any schema of the product must satisfy: below a parameter, output schemas, trigger schemas."""

PARAMETER_METASCHEMA: dict[str, Any] = {
    **_metaschema(_NESTED, {"type": {"enum": _SIMPLE_TYPES}}),
    "definitions": {"schema": _metaschema(_NESTED, _ANY_SCHEMA_KEYWORDS)},
}
"""The same for the top level of a parameter or of a config attribute: one simple type, no ``format``."""

ANY_TYPE: dict[str, Any] = {"anyOf": [{"type": name} for name in ("array", "boolean", "integer", "number", "object", "string")]}
"""What an empty parameter schema accepts."""


def resource_schema(parameters: dict[str, Any], *, additional_properties: bool = False) -> dict[str, Any]:
    """The object schema of a mapping of parameters (or config attributes).

    Args:
        parameters: name to parameter schema; no parameters at all give the schema that accepts everything.
        additional_properties: are other names allowed?
    """
    if not parameters:
        return {}
    properties = {name: schema or ANY_TYPE for name, schema in parameters.items()}
    return {"type": "object", "properties": properties, "additionalProperties": additional_properties}
