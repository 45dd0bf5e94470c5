"""Results as JSON text."""

from __future__ import annotations

import json
from typing import Any

import orjson


def dump_result(result: Any) -> bytes:
    """A result as JSON text. Integers beyond 64 bits and odd objects survive as well as JSON lets them; NaN becomes null."""
    try:
        return orjson.dumps(result, default=str, option=orjson.OPT_NON_STR_KEYS)
    except (TypeError, orjson.JSONEncodeError):
        return json.dumps(result, default=str).encode("utf-8", "replace")
