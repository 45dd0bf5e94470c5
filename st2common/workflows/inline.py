"""Parameters written inside a text: ``action: core.local cmd="date"`` and ``publish: x=1 y=<% ... %>`` (workflows.md 2.1)."""

from __future__ import annotations

import json
import re
from typing import Any

_VALUE = r"\[.*\]|\"[^\"]*\"|'[^']*'|-?\d+\.\d+|-?\d+|(?i:true|false)|null|<%.*?%>|{{.*?}}"
_PARAMETER = re.compile(rf"(\w+)=({_VALUE})")
_ACTION = re.compile(r"\s*((?:<%.*?%>|{{.*?}}|\S)+)")


def parse_parameters(text: str) -> list[tuple[str, Any]]:
    """Names and values in the order of the text. Text that fits no form is dropped, as upstream does."""
    return [(name, _typed(raw)) for name, raw in _PARAMETER.findall(text)]


def split_action(text: str) -> tuple[str, dict[str, Any] | None]:
    """The action's reference and its inline input (None without one)."""
    parameters = parse_parameters(text)
    if not parameters:
        return text, None
    first = _ACTION.match(text)
    return (first.group(1) if first else text), dict(parameters)


def _typed(raw: str) -> Any:
    quoted = '"' in raw or "'" in raw
    text = raw[1:-1] if raw[0] in "\"'" and raw[-1] == raw[0] else raw
    if quoted and not (text.startswith("{") and text.endswith("}")):
        return text
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text
