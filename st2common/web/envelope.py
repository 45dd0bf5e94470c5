"""What every request passes: paths, request id, CORS, OPTIONS, metrics (api.md 1, 2.5; operations.md 8.1)."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

import falcon

from st2common.exceptions import Invalid
from st2common.metrics import Metrics
from st2common.web.cors import Origins, headers

_UNDECODABLE = "\ufffd"
"""What falcon puts for bytes of a path that are not UTF-8; no name has it."""

_ACCEPTED_ID = re.compile(r"^[\x20-\x7e]{1,200}$")


def canonical_path(path: str) -> str:
    """The path as routed: without ``/v1``, with the alias ``/actionexecutions`` resolved, without one trailing slash."""
    if path == "/v1" or path.startswith("/v1/"):
        path = path[3:] or "/"
    if path == "/actionexecutions" or path.startswith("/actionexecutions/"):
        path = "/executions" + path[len("/actionexecutions") :]
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


class Envelope:
    """First and last middleware, for WSGI and ASGI: it sees every request and every answer.

    Args:
        origins: CORS settings.
        metrics: where requests are counted.
        name: first part of the metrics' names ("api", "auth", "stream").
    """

    def __init__(self, origins: Origins, metrics: Metrics, name: str) -> None:
        self._origins = origins
        self._metrics = metrics
        self._name = name

    def process_request(self, request: Any, response: Any) -> None:
        """Before routing."""
        request.context.started = time.monotonic()
        given = request.get_header("X-Request-ID")
        request.context.id = given if given and _ACCEPTED_ID.match(given) else str(uuid.uuid4())
        response.set_header("X-Request-ID", request.context.id)
        for name, value in headers(self._origins, request.get_header("Origin")).items():
            response.set_header(name, value)
        request.path = canonical_path(request.path)
        if request.method == "OPTIONS":
            response.status = 200
            response.content_type = "text/html"
            response.data = b""
            response.complete = True
        elif _UNDECODABLE in request.path:
            raise Invalid("The path is not valid percent-encoded UTF-8.")

    def process_response(self, request: Any, response: Any, resource: Any, succeeded: bool) -> None:
        """After the answer is made."""
        name, count = self._name, self._metrics.count
        count(f"{name}.request.total")
        count(f"{name}.request.method.{request.method if request.method in falcon.HTTP_METHODS else 'other'}")
        count(f"{name}.response.status.{response.status_code}")
        if request.uri_template and getattr(resource, "metrics", False):
            count(f"{name}.request.path.{_metric_path(request.uri_template)}")
        self._metrics.time(f"{name}.request", time.monotonic() - request.context.started)

    async def process_request_async(self, request: Any, response: Any) -> None:
        """The same under ASGI."""
        self.process_request(request, response)

    async def process_response_async(self, request: Any, response: Any, resource: Any, succeeded: bool) -> None:
        """The same under ASGI."""
        self.process_response(request, response, resource, succeeded)


def _metric_path(template: str) -> str:
    """The route, not the path: names of resources would make a metric each."""
    return re.sub(r"\W+", "_", template).strip("_")
