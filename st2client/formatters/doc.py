"""JSON and YAML output (cli.md 3.1)."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any) -> str:
    """JSON, indented by 4, keys sorted, ASCII only."""
    return json.dumps(value, indent=4, sort_keys=True, default=str)


def to_yaml(value: Any, *, indent: int = 4, for_people: bool = False) -> str:
    """Block YAML, keys sorted, ASCII only as recorded; `for_people`: every character as it is, texts of several lines as `|` blocks."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    if for_people:
        dumper = type("LiteralDumper", (dumper,), {})
        dumper.add_representer(str, _represent_text)
    return yaml.dump(value, Dumper=dumper, default_flow_style=False, indent=indent, width=2**31 - 1, allow_unicode=for_people).rstrip("\n")


def _represent_text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text and text == text.replace("\t", " ").replace(" \n", "\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
