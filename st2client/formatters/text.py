"""Labelled text: how executions and traces are shown (cli.md 3.4)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from st2client.formatters import doc, table
from st2client.utils import color, date, jsutil, terminal

TIMESTAMPS = frozenset({"start_timestamp", "end_timestamp"})


def _literal(text: str) -> Any:
    """Text that is the literal of a dict or list as such a value, other text unchanged."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[") or stripped[-1:] not in ("}", "]"):
        return text
    import ast

    try:
        value = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text  # only looks like one
    return value if isinstance(value, dict | list) else text


def _line(name: str, value: Any) -> str:
    label = color.paint(name, color.NAME)
    if isinstance(value, str):
        value = _literal(value)
    if isinstance(value, dict | list) and value:
        block = doc.to_yaml(value, indent=2, for_people=terminal.is_interactive())
        return f"{label}:\n{textwrap.indent(block, '  ')}"
    if name == "status" and isinstance(value, str):
        return f"{label}: {color.paint_status(value)}"
    return f"{label}: {value}"


def labels(entry: dict[str, Any], attributes: Sequence[str]) -> str:
    """One `name: value` line per attribute, in the order given."""
    lines = []
    for name in attributes:
        value = jsutil.get_value(entry, name)
        if name in TIMESTAMPS:
            value = date.format_isodate_for_user_timezone(value)
        elif name == "parameters":
            value = table.masked_parameters(value)
        lines.append(_line(name, value))
    return table.unescape("\n".join(lines))


def key_of_result(entry: dict[str, Any], path: str) -> str:
    """Value inside an execution's result, as `-k` prints it (objects and lists as Python writes them, as recorded)."""
    result = entry.get("result")
    if isinstance(result, str):
        result = _literal(result)
    value = jsutil.get_value(result, path)
    return table.unescape(str(value))
