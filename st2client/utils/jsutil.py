"""Look-ups in nested documents by dotted names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_SIMPLE_PATH = re.compile(r"[A-Za-z0-9_.\-]+")
_STEP = re.compile(r"\.?(?:(?P<name>[^.\[\]*]+)|\[(?P<index>-?\d+)\]|\[['\"](?P<quoted>[^'\"]*)['\"]\]|(?P<every>\*|\[\*\]))")


def _simple_value(doc: Any, key: str) -> Any:
    """Value of a dotted name, raising `KeyError` when it is not there. A key that contains dots itself is found too."""
    if isinstance(doc, dict):
        if key in doc:
            return doc[key]
        head, _, rest = key.partition(".")
        if rest and head in doc:
            return _simple_value(doc[head], rest)
    if isinstance(doc, list):
        head, _, rest = key.partition(".")
        if head.isdigit() and int(head) < len(doc):
            return _simple_value(doc[int(head)], rest) if rest else doc[int(head)]
    raise KeyError(key)


def get_value(doc: Any, key: str) -> Any:
    """Value of a dotted name, or of a path with `[0]`, `['a b']`, `[*]`; None when there is none.

    Raises:
        ValueError: the path cannot be read.
    """
    if _SIMPLE_PATH.fullmatch(key):
        try:
            return _simple_value(doc, key)
        except KeyError:
            return None
    found, several = _walk(doc, key.removeprefix("$"))
    if several:
        return found
    return found[0] if found else None


def _walk(doc: Any, path: str) -> tuple[list[Any], bool]:
    """All values a path leads to, and whether it may lead to several."""
    values, several, position = [doc], False, 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f'"{path}" is no path: cannot read it from "{path[position:]}" on')
        position = step.end()
        if step["every"]:
            several = True
            values = [item for value in values for item in _elements(value)]
        else:
            key: Any = int(step["index"]) if step["index"] is not None else (step["quoted"] if step["quoted"] is not None else step["name"])
            values = [item for value in values for item in _element(value, key)]
    return values, several


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _element(value: Any, key: Any) -> list[Any]:
    if isinstance(key, int) and isinstance(value, list) and -len(value) <= key < len(value):
        return [value[key]]
    if isinstance(key, str) and isinstance(value, dict) and key in value:
        return [value[key]]
    return []


def get_kvps(doc: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The named values, dotted names nested again; null and absent ones are left out."""
    found: dict[str, Any] = {}
    for key in keys:
        value = get_value(doc, key)
        if value is None:
            continue
        if key in doc:
            found[key] = value
            continue
        *parents, last = key.split(".")
        level = found
        for parent in parents:
            level = level.setdefault(parent, {})
        level[last] = value
    return found
