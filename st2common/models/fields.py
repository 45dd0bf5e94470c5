"""Field types of the documents: opaque JSON, moments in microseconds, and how each looks in the API.

Any field may carry ``private=True`` (never in an answer) or ``optional=True`` (left out of answers while unset); api.md
section 6 says which.
"""

from __future__ import annotations

import zlib
from typing import Any

import orjson
from bson import Binary
from mongoengine.base import BaseField

_COMPRESS_FROM = 4096
_ZLIB = b"Z"
_PLAIN = b"J"
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def pack_json(value: Any) -> Binary:
    """A JSON value as bytes for the database: one tag byte, then JSON, compressed when large.

    Keys with dots and dollar signs survive, the database never interprets the content, and a 5 MB result costs one write.
    """
    return pack_json_text(orjson.dumps(value, default=str, option=_OPTIONS))


def pack_json_text(text: bytes) -> Binary:
    """The same, from JSON text that exists already."""
    if len(text) >= _COMPRESS_FROM:
        return Binary(_ZLIB + zlib.compress(text, 1))
    return Binary(_PLAIN + text)


def unpack_json_text(data: bytes) -> bytes:
    """The JSON text inside ``data``."""
    return zlib.decompress(data[1:]) if data[:1] == _ZLIB else bytes(data[1:])


def unpack_json(data: bytes | None, default: Any = None) -> Any:
    """The JSON value inside ``data``; ``default`` for None."""
    return default if data is None else orjson.loads(unpack_json_text(data))


class JsonField(BaseField):
    """Any JSON value, stored opaquely. ``kind`` is its JSON type in the API's schema."""

    def __init__(self, kind: str = "object", **kwargs: Any) -> None:
        self.kind = kind
        super().__init__(**kwargs)

    def to_mongo(self, value: Any, **_: Any) -> Any:
        return None if value is None else pack_json(value)

    def to_python(self, value: Any) -> Any:
        return unpack_json(value) if isinstance(value, bytes) else value


class MomentField(BaseField):
    """Microseconds since the epoch (integer); ISO 8601 with ``Z`` in the API. ``precision`` is "us" or "ms"."""

    def __init__(self, precision: str = "us", **kwargs: Any) -> None:
        self.precision = precision
        super().__init__(**kwargs)

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, int):
            self.error("a moment is an integer of microseconds")
