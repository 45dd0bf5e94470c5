"""One way through a request: credentials, permission, parameters, body, handler, answer; and one place for errors (api.md 2.1, 2.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import falcon
import orjson
from pymongo.errors import ConnectionFailure, PyMongoError

from st2api import requestbody
from st2api.endpoint import JSON, Call, Endpoint, Param, Reply
from st2api.query import parse_bool, parse_timestamp
from st2common.exceptions import Conflict, Invalid, St2Error
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.schema import check
from st2common.security.access import Requester, authenticate, authorize

LOG = getLogger("st2api")
NOT_FOUND = "The resource could not be found."
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
            call.raw = requestbody.read(request, platform.config.api.max_body_size)
            if not endpoint.raw_body:
                call.body = check(requestbody.parse(request.content_type, call.raw), endpoint.body or {})
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


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)


# -- errors --------------------------------------------------------------------------------------------------------------------------


def fault(response: falcon.Response, status: int, text: str, **more: Any) -> None:
    """An error answer."""
    response.status = status
    response.data = dumps({"faultstring": text, **more})
    response.content_type = JSON


def on_st2_error(request: falcon.Request, response: falcon.Response, error: St2Error, _params: Any) -> None:
    """An error that the platform raised on purpose."""
    if error.status >= 500:
        LOG.error("%s %s: %s", request.method, request.path, error)
    more = {"conflict-id": error.conflict_id} if isinstance(error, Conflict) else {}
    fault(response, error.status, error.message, **more)


def on_http_error(request: falcon.Request, response: falcon.Response, error: falcon.HTTPError, _params: Any) -> None:
    """An error of falcon's own. No such path and no such method on it are the same: 404."""
    if isinstance(error, falcon.HTTPNotFound | falcon.HTTPMethodNotAllowed):
        fault(response, 404, NOT_FOUND)
    else:
        fault(response, error.status_code, error.description or error.title or "")


def on_database_error(request: falcon.Request, response: falcon.Response, error: PyMongoError, _params: Any) -> None:
    """The database is away, or refused."""
    if isinstance(error, ConnectionFailure):
        LOG.warning("%s %s: the database does not answer: %s", request.method, request.path, str(error)[:200])
        fault(response, 503, "The database is not available.")
    else:
        on_unexpected(request, response, error, _params)


def on_unexpected(request: falcon.Request, response: falcon.Response, error: Exception, _params: Any) -> None:
    """Anything else is a bug: the log has the whole story, the caller the request id."""
    LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    fault(response, 500, "Internal Server Error")
