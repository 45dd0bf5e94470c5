"""Error answers: one place that turns exceptions into ``{"faultstring": ...}`` (api.md 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon
import falcon.asgi
import orjson
from pymongo.errors import ConnectionFailure, PyMongoError

from st2common.exceptions import Conflict, St2Error
from st2common.log import getLogger

LOG = getLogger("st2common.web")
JSON = "application/json"
NOT_FOUND = "The resource could not be found."


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str)


def fault(response: Any, status: int, text: str, **more: Any) -> None:
    """An error answer."""
    response.status = status
    response.data = dumps({"faultstring": text, **more})
    response.content_type = JSON


def on_st2_error(request: Any, response: Any, error: St2Error, _params: Any) -> None:
    """An error that the platform raised on purpose."""
    if error.status >= 500:
        LOG.error("%s %s: %s (request %s)", request.method, request.path, error, response.get_header("X-Request-ID"))
    more = {"conflict-id": error.conflict_id} if isinstance(error, Conflict) else {}
    fault(response, error.status, error.message, **more)


def on_http_error(request: Any, response: Any, error: falcon.HTTPError, _params: Any) -> None:
    """An error of falcon's own. No such path and no such method on it are the same: 404."""
    if isinstance(error, falcon.HTTPNotFound | falcon.HTTPMethodNotAllowed):
        fault(response, 404, NOT_FOUND)
    else:
        fault(response, error.status_code, error.description or error.title or "")


def on_database_error(request: Any, response: Any, error: PyMongoError, _params: Any) -> None:
    """The database is away, or refused."""
    if isinstance(error, ConnectionFailure):
        LOG.warning("%s %s: the database does not answer: %s", request.method, request.path, str(error)[:200])
        fault(response, 503, "The database is not available.")
    else:
        on_unexpected(request, response, error, _params)


def on_unexpected(request: Any, response: Any, error: Exception, _params: Any) -> None:
    """Anything else is a bug: the log has the whole story, the caller the request id."""
    LOG.error("%s %s failed (request %s)", request.method, request.path, response.get_header("X-Request-ID"), exc_info=error)
    fault(response, 500, "Internal Server Error")


_HANDLERS: tuple[tuple[type[Exception], Callable[..., None]], ...] = (
    (Exception, on_unexpected), (PyMongoError, on_database_error), (falcon.HTTPError, on_http_error), (St2Error, on_st2_error),
)  # fmt: skip


def install(app: Any) -> None:
    """Register the handlers in a falcon app (WSGI or ASGI)."""
    is_async = isinstance(app, falcon.asgi.App)
    for kind, handler in _HANDLERS:
        app.add_error_handler(kind, _async(handler) if is_async else handler)


def _async(handler: Callable[..., None]) -> Callable[..., Any]:
    async def handle(request: Any, response: Any, error: Any, params: Any) -> None:
        handler(request, response, error, params)

    return handle
