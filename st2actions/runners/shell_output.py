"""What becomes of a shell command's output (runners.md section 1)."""

from __future__ import annotations

from typing import Any

import orjson

_JSON_STARTS = frozenset('{["-0123456789tfn')


def strip_last_newline(text: str) -> str:
    """Take off one trailing line feed, then one trailing carriage return."""
    return text.removesuffix("\n").removesuffix("\r")


def json_or_text(text: str) -> Any:
    """The value of ``text`` where the whole of it is one JSON document (RFC 8259, strictly), else ``text``."""
    if text.lstrip(" \t\r\n")[:1] not in _JSON_STARTS:
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
