"""Recorded readings of chat commands (vectors/alias_parse.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.aliases import AliasFormatError, AliasParseError, compile_format

VECTORS = json.loads((Path(__file__).parent / "vectors" / "alias_parse.json").read_text())["vectors"]
ERRORS = {"ParseException": AliasParseError, "error": AliasFormatError}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_parse(vector: dict[str, Any]) -> None:
    def parse() -> Any:
        compiled = compile_format(vector["format"])
        return compiled.parse_all(vector["command"]) if vector.get("match_multiple") else compiled.parse(vector["command"])

    if "error" in vector:
        with pytest.raises(ERRORS[vector["error"]]) as caught:
            parse()
        assert str(caught.value) == vector["error_message"]
    else:
        assert parse() == vector["expected"]
