"""A schema suggested from a result, for actions that declare none (cli.md 3.4)."""

from __future__ import annotations

from typing import Any

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def schema_of(value: Any) -> dict[str, Any]:
    """Schema that a value fits, in the style of pack metadata."""
    if isinstance(value, dict):
        return {"type": "object", "properties": {name: schema_of(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"type": "array", **({"items": schema_of(value[0])} if value else {})}
    return {"type": _TYPES.get(type(value), "string")}


def render_output_schema_from_output(result: Any) -> str:
    """Box with the schema as it would stand in the action's metadata file."""
    from st2client.formatters import doc

    schema = schema_of(result)
    title = "Based on the action output the following inferred schema was built:"
    lines = [title, "", *doc.to_yaml({"output_schema": schema}, indent=2).splitlines()]
    width = max(len(line) for line in lines)
    border = "+" + "-" * (width + 2) + "+"
    return "\n".join([border, *(f"| {line.ljust(width)} |" for line in lines), border])
