"""Values of a workflow: plain JSON data, shared and never changed in place; how mappings merge (workflows.md 3.2)."""

from __future__ import annotations

import datetime
from typing import Any

_SCALARS = (str, int, float, bool, type(None))


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A mapping laid over another: mappings under one key merge, anything else replaces. Neither argument changes; untouched parts are shared."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def as_json(value: Any) -> Any:
    """The value as JSON data: tuples and sets become lists, dates text, keys text. A value that is JSON data already is returned itself.

    Raises:
        TypeError: a part has no JSON form (a Jinja ``range``, a compiled pattern...); it could neither be stored nor shown.
    """
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, dict):
        return _json_mapping(value)
    if isinstance(value, list):
        parts = [as_json(part) for part in value]
        return value if all(new is old for new, old in zip(parts, value, strict=True)) else parts
    if isinstance(value, (tuple, set, frozenset)):
        return [as_json(part) for part in value]
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _json_mapping(value: dict[Any, Any]) -> dict[str, Any]:
    parts = {_json_key(key): as_json(part) for key, part in value.items()}
    same = len(parts) == len(value) and all(key in value and part is value[key] for key, part in parts.items())
    return value if same else parts


def _json_key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)
