"""JSON and YAML output (cli.md 3.1)."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any) -> str:
    """JSON, indented by 4, keys sorted, ASCII only."""
    return json.dumps(value, indent=4, sort_keys=True, default=str)


def to_yaml(value: Any, *, indent: int = 4, literal_blocks: bool = False) -> str:
    """Block YAML, keys sorted; `literal_blocks`: texts of several lines as `|` blocks, for people."""
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    if literal_blocks:
        dumper = type("LiteralDumper", (dumper,), {})
        dumper.add_representer(str, _represent_text)
    return yaml.dump(value, Dumper=dumper, default_flow_style=False, indent=indent, width=2**31 - 1, allow_unicode=True).rstrip("\n")


def _represent_text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text and text == text.replace("\t", " ").replace(" \n", "\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
