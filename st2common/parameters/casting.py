"""Casting of parameter values to their declared type (content.md 3.1.2)."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import orjson

from st2common.exceptions import CastError
from st2common.expressions import NONE_MARKER


def _string(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise ValueError(f'Value "{value}" must either be a string or None. Got "{type(value).__name__}".')
    return value


def _boolean(value: Any) -> Any:
    return ast.literal_eval(value.capitalize()) if isinstance(value, str) else value


def _structure(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        parsed = ast.literal_eval(value)
    return list(parsed) if isinstance(parsed, tuple) else parsed


_CASTS: dict[str, Callable[[Any], Any]] = {
    "string": _string,
    "integer": int,
    "number": float,
    "boolean": _boolean,
    "array": _structure,
    "object": _structure,
}


def cast(value: Any, type: str | None) -> Any:
    """One value through the cast of a type; the none marker counts as null.

    Args:
        value: rendered value.
        type: JSON-schema type; an unknown one or None leaves the value alone.

    Raises:
        CastError: with the text of the failed conversion, e.g. ``invalid literal for int() with base 10: '1x'``.
    """
    convert = _CASTS.get(type) if isinstance(type, str) else None
    if convert is None:
        return value
    if isinstance(value, str) and value == NONE_MARKER:
        value = None
    if value is None and convert in (_boolean, _structure):
        return None
    try:
        return convert(value)
    except (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError) as error:
        raise CastError(str(error)) from error


def cast_parameter(value: Any, type: str | None) -> Any:
    """The same for a parameter: null is never cast."""
    return value if value is None else cast(value, type)
