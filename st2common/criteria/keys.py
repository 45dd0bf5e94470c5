"""Criteria keys: from ``trigger.body.host`` to the value in the payload (reactor.md 6.2).

A key is a JSONPath over ``{"trigger": payload, "system": datastore}``; what follows its first ``#`` is a comment (so that one field can
be tested twice). A key into ``system`` gives the text of the datastore item, null if it is missing or empty.
The first match is the value, no match is null. Plain paths (names, quoted names, list positions) are walked directly; everything
else (wildcards, slices, descent) goes through jsonpath-ng. Both give the same result on the keys that both can read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jsonpath_ng
from jsonpath_ng.exceptions import JSONPathError

from st2common.exceptions import Invalid
from st2common.expressions import KeyValueLookup

Lookup = Callable[[Mapping[str, Any]], Any]

_NAME = r"[A-Za-z_@][A-Za-z0-9_@\-]*"
_QUOTED = r"'[^'\\]+'|\"[^\"\\]+\""
_STEP = re.compile(rf"\.(?P<name>{_NAME})|\.(?P<quoted>{_QUOTED})|\[(?P<index>\d+)\]|\[(?P<subscript>{_QUOTED})\]")
_START = re.compile(rf"(?:\$\.)?(?P<name>{_NAME})")
_RESERVED = frozenset({"where", "wherenot"})


class KeySyntaxError(Invalid):
    """The key is not a JSONPath."""


class KeyLookupError(Invalid):
    """The key could not be followed through this payload."""


class Key:
    """One compiled key.

    Attributes:
        text: the key without its comment; keys of equal text have equal values.
        is_plain: the lookup never raises, whatever JSON it walks, and reads nothing but that.
        lookup: from the context (``{"trigger": payload}``) to the value, null if there is none. Raises ``KeyLookupError``.
    """

    __slots__ = ("is_plain", "lookup", "text")

    def __init__(self, text: str, lookup: Lookup, *, is_plain: bool) -> None:
        self.text = text
        self.lookup = lookup
        self.is_plain = is_plain


def key_text(key: str) -> str:
    """The key up to its first ``#``."""
    return key.partition("#")[0]


def compile_key(key: str) -> Key:
    """Compile a criteria key, comment and all. Raises ``KeySyntaxError``."""
    return _compile(key_text(key))


@lru_cache(maxsize=16384)
def _compile(text: str) -> Key:
    path = plain_path(text)
    if path is not None:
        return Key(text, _walker(path), is_plain=path[0] != "system")
    return Key(text, _query(text), is_plain=False)


def plain_path(text: str) -> tuple[str | int, ...] | None:
    """``a.b[0].'c d'`` -> ``("a", "b", 0, "c d")``; null if the key needs the whole of JSONPath (or is none)."""
    start = _START.match(text)
    if start is None or start["name"] in _RESERVED:
        return None
    path: list[str | int] = [start["name"]]
    position = start.end()
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None or step["name"] in _RESERVED:
            return None
        if step["index"] is not None:
            path.append(int(step["index"]))
        else:
            quoted = step["quoted"] or step["subscript"]
            path.append(quoted[1:-1] if quoted else step["name"])
        position = step.end()
    return tuple(path)


def _walker(path: tuple[str | int, ...]) -> Lookup:
    if len(path) == 2 and all(isinstance(step, str) for step in path):
        return _two_steps(*path)
    steps = path

    def walk(context: Mapping[str, Any]) -> Any:
        value: Any = context
        for step in steps:
            value = _step(value, step)
            if value is None:
                return None
        return _read(value)

    return walk


def _two_steps(root: str | int, name: str | int) -> Lookup:
    """``trigger.name``, by far the most frequent key."""

    def walk(context: Mapping[str, Any]) -> Any:
        holder = context.get(root)  # type: ignore[arg-type]
        return holder.get(name) if type(holder) is dict else _read(_step(holder, name))

    return walk


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        if isinstance(value, KeyValueLookup):
            return value[step]
        return value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, list | tuple) and step < len(value):
        return value[step]
    return None


def _read(value: Any) -> Any:
    return str(value) or None if isinstance(value, KeyValueLookup) else value


def _query(text: str) -> Lookup:
    try:
        expression = jsonpath_ng.parse(text)
    except (JSONPathError, ValueError, TypeError, AttributeError) as error:
        raise KeySyntaxError(str(error) or f'"{text}" is not a JSONPath') from error

    def query(context: Mapping[str, Any]) -> Any:
        try:
            found = expression.find(context)
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise KeyLookupError(str(error)) from error
        return found[0].value if found else None

    return query
