"""One schema per kind (content.md sections 2 and 3). Derived attributes (``id``, ``uid``, ``ref``) may be given and are ignored:
clients put back what they got."""

from __future__ import annotations

from typing import Any

from st2common.packs.schemas.tables import RULE_TYPES

_TEXT = {"type": "string"}
_OBJECT = {"type": "object", "default": {}}
_DERIVED = {"id": {"type": ["string", "null"], "default": None}, "uid": _TEXT, "ref": _TEXT, "metadata_file": {"type": "string", "default": ""}}
_DESCRIPTION = {"type": ["string", "null"]}
_TAGS = {
    "type": "array",
    "default": [],
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "required": True}, "value": {"type": "string", "required": True}},
        "additionalProperties": False,
    },
}


def _resource(properties: dict[str, Any], *, enabled: bool | None = None, derived: bool = True) -> dict[str, Any]:
    """An object schema that allows nothing but its properties; ``enabled`` is the default of that attribute, None leaves it out."""
    head: dict[str, Any] = dict(_DERIVED) if derived else {}
    if enabled is not None:
        head["enabled"] = {"type": "boolean", "default": enabled}
    return {"type": "object", "properties": {**properties, **head}, "additionalProperties": False}


def _name() -> dict[str, Any]:
    return {"name": {"type": "string", "required": True}}


_NOTIFY_SECTION = {
    "type": "object",
    "properties": {
        "message": _TEXT,
        "data": {"type": "object"},
        "routes": {"type": "array", "items": _TEXT},
        "channels": {"type": "array", "items": _TEXT},
    },
    "additionalProperties": False,
}
NOTIFY_SCHEMA = {
    "type": "object",
    "properties": {"on-complete": _NOTIFY_SECTION, "on-success": _NOTIFY_SECTION, "on-failure": _NOTIFY_SECTION},
    "additionalProperties": False,
    "default": {},
}

_MANIFEST = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "required": True},
        "ref": {"type": "string", "pattern": r"^[a-z0-9_]+$"},
        "description": {"type": "string", "required": True},
        "version": {
            "type": "string",
            "required": True,
            "pattern": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9a-z-]+(\.[0-9a-z-]+)*)?(\+[0-9a-z-]+(\.[0-9a-z-]+)*)?$",
        },
        "author": {"type": "string", "required": True},
        "email": {"type": "string", "required": True},
        "keywords": {"type": "array", "items": _TEXT, "default": []},
        "stackstorm_version": {
            "type": "string",
            "pattern": r"^((>=|<=|>|<|=)\s*[0-9]+\.[0-9]+\.[0-9]+)(\s*,\s*(>=|<=|>|<|=)\s*[0-9]+\.[0-9]+\.[0-9]+)*$",
        },
        "python_versions": {"type": "array", "items": {"type": "string", "enum": ["2", "3"]}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
        "contributors": {"type": "array", "items": {"type": "string", "maxLength": 100}, "default": []},
        "dependencies": {"type": "array", "items": _TEXT, "default": []},
        "system": _OBJECT,
        "files": {"type": "array", "items": _TEXT, "default": []},
        "path": {"type": "string", "default": ""},
    },
    "additionalProperties": True,
}

_ACTION = _resource(
    {
        **_name(),
        "runner_type": {"type": "string", "required": True},
        "pack": {"type": "string", "default": "default"},
        "description": _DESCRIPTION,
        "entry_point": {"type": "string", "default": ""},
        "parameters": _OBJECT,
        "output_schema": _OBJECT,
        "notify": NOTIFY_SCHEMA,
        "tags": _TAGS,
    },
    enabled=True,
)

_TRIGGER_TYPE = _resource(
    {
        **_name(),
        "pack": {"type": "string", "required": True},
        "description": _DESCRIPTION,
        "payload_schema": _OBJECT,
        "parameters_schema": _OBJECT,
        "tags": _TAGS,
    }
)

_SENSOR = {
    "type": "object",
    "properties": {
        "class_name": {"type": "string", "required": True},
        "entry_point": {"type": "string", "default": ""},
        "pack": _TEXT,
        "description": _DESCRIPTION,
        "enabled": {"type": "boolean", "default": True},
        "poll_interval": {"type": ["number", "null"]},
        "trigger_types": {"type": "array", "default": [], "items": {"type": "object"}},
        "metadata_file": {"type": "string", "default": ""},
    },
    "additionalProperties": True,
}

_RULE = _resource(
    {
        "trigger": {
            "type": "object",
            "required": True,
            "properties": {
                "type": {"type": "string", "required": True},
                "parameters": _OBJECT,
                "ref": _TEXT,
                "description": _DESCRIPTION,
            },
            "additionalProperties": True,
        },
        **_name(),
        "pack": {"type": "string", "default": "default"},
        "description": _DESCRIPTION,
        "type": {
            "type": "object",
            "default": {},
            "properties": {
                "ref": {"type": "string", "enum": [row["name"] for row in RULE_TYPES], "default": "standard"},
                "parameters": _OBJECT,
            },
            "additionalProperties": False,
        },
        "criteria": _OBJECT,
        "action": {
            "type": "object",
            "required": True,
            "properties": {
                "ref": {"type": "string", "required": True},
                "description": _DESCRIPTION,
                "parameters": _OBJECT,
            },
            "additionalProperties": False,
        },
        "context": _OBJECT,
        "tags": _TAGS,
    },
    enabled=False,
)

_FORMAT = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "display": _TEXT,
                "representation": {"anyOf": [{"type": "string"}, {"type": "array", "items": _TEXT}]},
                "match_multiple": {"type": "boolean"},
            },
            "additionalProperties": False,
        },
    ]
}

_ALIAS = _resource(
    {
        **_name(),
        "pack": {"type": "string", "required": True},
        "description": _DESCRIPTION,
        "action_ref": {"type": "string", "required": True},
        "formats": {"type": "array", "required": True, "items": _FORMAT},
        "ack": {
            "type": "object",
            "default": {},
            "properties": {"enabled": {"type": "boolean"}, "format": _TEXT, "extra": {"type": "object"}, "append_url": {"type": "boolean"}},
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "default": {},
            "properties": {"enabled": {"type": "boolean"}, "format": _TEXT, "extra": {"type": "object"}},
            "additionalProperties": False,
        },
        "extra": _OBJECT,
        "immutable_parameters": _OBJECT,
    },
    enabled=True,
)

_POLICY = _resource(
    {
        **_name(),
        "pack": {"type": "string", "required": True},
        "description": _DESCRIPTION,
        "resource_ref": {"type": "string", "required": True},
        "policy_type": {"type": "string", "required": True},
        "parameters": _OBJECT,
    },
    enabled=True,
)

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

SCHEMAS: dict[str, dict[str, Any]] = {
    "pack": _MANIFEST,
    "action": _ACTION,
    "sensor": _SENSOR,
    "trigger_type": _TRIGGER_TYPE,
    "rule": _RULE,
    "alias": _ALIAS,
    "policy": _POLICY,
}
"""Kind -> schema of its metadata."""
