"""The JSON schema of a definition (workflows.md 2) and the findings that break it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema

TASK = r"^\w+$"
TASKS = f"properties.tasks.patternProperties.{TASK}"

_ITEMS = r"^(\s+)?({{.*?}}|<%.*?%>)(\s+)?$|^(\s+)?((\w+,\s?|\s+)+)?(\w+)\s+in\s+({{.*?}}|<%.*?%>)(\s+)?$"
# The recorded pattern backtracks without end on a run of blanks; this one accepts the same texts.
_ITEMS_FAST = re.compile(r"^\s*(?:(?:\w+,\s*)*\w+\s+in\s+)?(?:{{.*?}}|<%.*?%>)\s*$")
_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 0}
_PAIR = {"type": "object", "minProperties": 1, "maxProperties": 1}
_PAIRS = {"type": "array", "items": _PAIR, "uniqueItems": True, "minItems": 1}
_TEXTS = {"type": "array", "items": _TEXT, "uniqueItems": True, "minItems": 1}
_TEXT_OR_COUNT = {"oneOf": [_TEXT, _COUNT]}

_TRANSITION = {
    "type": "object",
    "properties": {"when": _TEXT, "publish": {"oneOf": [_TEXT, _PAIRS]}, "do": {"oneOf": [_TEXT, _TEXTS]}},
    "additionalProperties": False,
}
_TASK = {
    "type": "object",
    "properties": {
        "action": _TEXT,
        "input": {"oneOf": [_TEXT, {"type": "object", "minProperties": 1}]},
        "with": {
            "type": "object",
            "properties": {"items": {**_TEXT, "pattern": _ITEMS}, "concurrency": _TEXT_OR_COUNT},
            "required": ["items"],
            "additionalProperties": False,
        },
        "join": {"oneOf": [{"enum": ["all"]}, _COUNT]},
        "delay": _TEXT_OR_COUNT,
        "retry": {
            "type": "object",
            "properties": {"count": _TEXT_OR_COUNT, "delay": _TEXT_OR_COUNT, "when": _TEXT},
            "required": ["count"],
            "additionalProperties": False,
        },
        "next": {"type": "array", "items": _TRANSITION},
    },
    "minProperties": 1,
    "additionalProperties": False,
}
DEFINITION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "version": {"enum": ["1.0", 1.0]},
        "name": _TEXT,
        "description": _TEXT,
        "tags": _TEXTS,
        "input": {"type": "array", "items": {"oneOf": [_TEXT, _PAIR]}, "uniqueItems": True, "minItems": 1},
        "vars": _PAIRS,
        "output": _PAIRS,
        "tasks": {"type": "object", "patternProperties": {TASK: _TASK}, "minProperties": 1, "additionalProperties": False},
    },
    "required": ["tasks"],
    "additionalProperties": False,
}


def _items_pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """Keyword ``pattern``; the only one in this schema is that of ``with.items``."""
    if isinstance(instance, str) and not _ITEMS_FAST.match(instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match '{pattern}'")


@lru_cache(maxsize=1)
def _validator() -> Any:
    return jsonschema.validators.extend(jsonschema.Draft4Validator, {"pattern": _items_pattern})(DEFINITION)


def dotted(parts: Any) -> str | None:
    """``["tasks", "t1", "next", 0]`` as ``tasks.t1.next[0]``; None for the whole."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or None


def violations(raw: dict[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """What breaks the schema: message, path in the definition, path in the schema (None for the top)."""
    for error in _validator().iter_errors(raw):
        yield error.message, dotted(error.absolute_path), dotted(error.absolute_schema_path)
