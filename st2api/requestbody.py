"""Request bodies: reading within the limit, content types, parsing (api.md 2.3)."""

from __future__ import annotations

import email.parser
import email.policy
from typing import Any
from urllib.parse import parse_qs

import falcon
import orjson

from st2common.exceptions import Invalid, TooLarge

DEEPEST = 100
"""Levels of nested objects and arrays that a body may have: far more than any document needs, far less than breaks a reader."""


def read(request: falcon.Request, limit: int) -> bytes:
    """The body's bytes.

    Raises:
        TooLarge: more than ``limit`` bytes.
    """
    length = request.content_length
    if length is not None and length > limit:
        raise TooLarge(f"The request body is larger than the {limit} bytes that [api] max_body_size allows.")
    if length == 0:
        return b""
    chunked = length is None and "chunked" in (request.get_header("Transfer-Encoding") or "").lower()
    if length is None and not chunked:
        return b""
    data: bytes = request.stream.read(limit + 1) if chunked else request.bounded_stream.read()
    if len(data) > limit:
        raise TooLarge(f"The request body is larger than the {limit} bytes that [api] max_body_size allows.")
    return data


def parse(content_type: str | None, data: bytes) -> Any:
    """The value in a body: JSON, a form (object of lists of text) or plain text.

    Raises:
        Invalid: another content type, or content that is not what the type says.
    """
    media = (content_type or "application/json").split(";")[0].strip().lower()
    if media == "application/json":
        return _json(data)
    if media == "application/x-www-form-urlencoded":
        return parse_qs(_utf8(data), keep_blank_values=True)
    if media == "multipart/form-data":
        return _multipart(content_type or "", data)
    if media == "text/plain":
        return _utf8(data)
    raise Invalid(f'Failed to parse request body: Unsupported Content-Type: "{media}"')


def _json(data: bytes) -> Any:
    if not data.strip():
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"Failed to parse request body: {error}") from error
    if data.count(b"[") + data.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise Invalid(f"Failed to parse request body: more than {DEEPEST} levels of nesting")
    return value


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"Failed to parse request body: {error}") from error


def _multipart(content_type: str, data: bytes) -> dict[str, list[str]]:
    """Fields of a form by name. A body that has no parts is read as a query string, as upstream reads it."""
    if b"Content-Disposition" not in data and b"content-disposition" not in data:
        return parse_qs(_utf8(data), keep_blank_values=True)
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
    fields: dict[str, list[str]] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields.setdefault(name, []).append(_utf8(content))
    return fields


def _depth(value: Any) -> int:
    depth = 0
    level = [value]
    while level:
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        depth += 1
    return depth
