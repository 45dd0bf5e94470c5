"""PowerShell text: values as literals, arguments, encoded commands, readable errors (runners.md section 7). Pure functions."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from st2actions.runners.script_arguments import split_parameters

_ESCAPES = str.maketrans(
    {
        "\n": "`n",
        "\r": "`r",
        "\t": "`t",
        "\a": "`a",
        "\b": "`b",
        "\f": "`f",
        "\v": "`v",
        '"': '`"',
        "'": "`'",
        "`": "``",
        "\0": "`0",
        "$": "`$",
    }  # fmt: skip
)
_CLIXML = "#< CLIXML"
_CHARACTER = re.compile(r"_x([0-9A-Fa-f]{4})_")


def literal(value: Any) -> str:
    """``value`` as a PowerShell literal."""
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, str):
        return '"' + value.translate(_ESCAPES) + '"'
    if isinstance(value, Mapping):
        return "@{" + "; ".join(f"{literal(str(key))} = {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "@(" + ", ".join(literal(item) for item in value) + ")"
    return str(value)


def script_parameters(schemas: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], kwarg_op: str) -> str:
    """Action parameters as arguments of a script: named ones in the order of ``values``, then positional ones by position."""
    named, positional = split_parameters(schemas, values)
    words = []
    for name, value in named.items():
        if value is True:
            words.append(f"{kwarg_op}{name}")
        elif value is not None and value is not False and value != "":
            words.append(f"{kwarg_op}{name} {literal(value)}")
    words += [literal(value) for _, value in positional]
    return " ".join(words)


def encoded_command(script: str) -> str:
    """The command line that runs ``script``."""
    return "powershell -encodedcommand " + base64.b64encode(script.encode("utf_16_le")).decode("ascii")


def readable_error(stderr: str) -> str:
    """The error texts of PowerShell's CLIXML; anything else as it is."""
    if not stderr.startswith(_CLIXML):
        return stderr
    try:
        root = ElementTree.fromstring(stderr.partition("\n")[2])
    except ElementTree.ParseError:
        return stderr
    texts = [node.text or "" for node in root.iter() if node.tag.rpartition("}")[2] == "S" and node.get("S") in (None, "Error")]
    return _CHARACTER.sub(lambda found: chr(int(found[1], 16)), "".join(texts)).replace("\r\n", "\n").strip()
