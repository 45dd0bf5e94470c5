"""One way through a request: credentials, permission, parameters, body, handler, answer (api.md 2.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import falcon

from st2api.endpoint import JSON, Call, Endpoint, Param, Reply
from st2api.query import parse_bool, parse_timestamp
from st2common.exceptions import Invalid
from st2common.platform import Platform
from st2common.schema import check
from st2common.security.access import Requester, authenticate, authorize
from st2common.web import body
from st2common.web.errors import dumps

_INTEGER = re.compile(r"^-?[0-9]+$", re.ASCII)
_DIGITS = 25
_NOBODY = Requester(user="", is_admin=False)

Responder = Callable[..., None]


def responder(platform: Platform, endpoint: Endpoint) -> Responder:
    """falcon's responder for an endpoint."""

    def respond(request: falcon.Request, response: falcon.Response, **path: str) -> None:
        query = dict(parse_qsl(request.query_string, keep_blank_values=True))
        requester = _NOBODY
        if not endpoint.public:
            requester = authenticate(platform, _lower(request.headers), query, request.cookies)
            if requester.cookie:
                response.append_header("Set-Cookie", requester.cookie)
            if endpoint.permission is not None:
                authorize(requester, endpoint.permission)
        call = Call(platform, endpoint, requester, request, path, parameters(endpoint.query, query))
        if endpoint.body is not None or endpoint.raw_body:
            call.raw = body.read(request, platform.config.api.max_body_size)
            if not endpoint.raw_body:
                call.body = check(body.parse(request.content_type, call.raw), endpoint.body or {})
        send(response, endpoint, endpoint.handler(call))

    return respond


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def parameters(declared: tuple[Param, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """Declared query parameters with their types; undeclared ones are ignored.

    Raises:
        Invalid: a value is not of its type; the message names the parameter.
    """
    return {param.name: convert(param, given[param.name]) if param.name in given else param.default for param in declared}


def convert(param: Param, text: str) -> Any:
    """One query parameter's value."""
    if param.kind == "integer":
        if not _INTEGER.match(text) or len(text) > _DIGITS:
            raise Invalid(f'Parameter "{param.name}" is not of type integer')
        return int(text)
    if param.kind == "boolean":
        value = parse_bool(text)
        if value is None:
            raise Invalid(f'Parameter "{param.name}" is not of type boolean')
        return value
    if param.kind == "array":
        return [part.strip() for part in text.split(",") if part.strip()]
    if param.kind == "timestamp":
        return None if text.lower() == "null" else parse_timestamp(text)
    if param.choices is not None and text not in param.choices:
        raise Invalid(f'Parameter "{param.name}" is not one of {list(param.choices)}')
    return text


def send(response: falcon.Response, endpoint: Endpoint, result: Any) -> None:
    """Put a handler's result into the answer."""
    reply = result if isinstance(result, Reply) else Reply(result)
    response.status = reply.status or endpoint.status
    for name, value in reply.headers.items():
        response.set_header(name, value)
    if response.status_code in (204, 304):
        return
    if reply.data is not None:
        response.data = reply.data
        response.content_type = reply.media or endpoint.media or JSON
        return
    response.data = dumps(reply.value)
    response.content_type = JSON
