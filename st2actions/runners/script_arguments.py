"""Action parameters as arguments of a script (runners.md section 1, "Script parameters"). Pure functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any


def script_arguments(schemas: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], kwarg_op: str) -> str:
    """The argument part of a command line: named parameters in the order of ``values``, then positional ones.

    Args:
        schemas: the action's parameter schemas; those with ``position`` are positional.
        values: final parameter values.
        kwarg_op: what stands before a name, e.g. ``--``.
    """
    named, positional = split_parameters(schemas, values)
    words = [word for name, value in named.items() for word in _named_word(kwarg_op, name, value)]
    words += [quote(positional_text(schemas[name].get("type"), value)) for name, value in positional]
    return " ".join(words)


def split_parameters(schemas: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Named parameters in the order of ``values``; positional ones as (name, value) by position, None for unset ones."""
    places = sorted((schema["position"], name) for name, schema in schemas.items() if schema.get("position") is not None)
    names = {name for _, name in places}
    named = {name: value for name, value in values.items() if name not in names}
    return named, [(name, values.get(name)) for _, name in places]


def _named_word(kwarg_op: str, name: str, value: Any) -> list[str]:
    if value is None or value is False or value == "":
        return []
    if value is True:
        return [quote(kwarg_op + name)]
    return [f"{quote(kwarg_op + name)}={quote(str(value))}"]


def positional_text(kind: Any, value: Any) -> str:
    """Text of a positional parameter by its declared type; null is the empty string for every type."""
    if value is None:
        return ""
    if kind in ("string", "number"):
        return str(value)
    if kind == "boolean":
        return "1" if value else "0"
    if kind == "array":
        return ",".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
    if kind == "object":
        return json.dumps(value, separators=(",", ":")) if value else ""
    return str(value) if value else ""  # integers and untyped values: 0 gives nothing
