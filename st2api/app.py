"""The API put together: every resource's endpoints behind one door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import falcon

from st2api import openapi, serving
from st2api.endpoint import Endpoint, Routes
from st2api.resources import ALL_ROUTES
from st2common.platform import Platform
from st2common.web import errors
from st2common.web.cors import Origins
from st2common.web.envelope import Envelope


def endpoints(tables: Iterable[Routes] = ALL_ROUTES) -> list[Endpoint]:
    """Every endpoint, in the order of declaration."""
    return [endpoint for table in tables for endpoint in table.endpoints]


class _Path:
    """falcon's resource for one path: a responder per method."""

    def __init__(self) -> None:
        self.metrics = False

    def add(self, platform: Platform, endpoint: Endpoint) -> None:
        setattr(self, f"on_{endpoint.method.lower()}", serving.responder(platform, endpoint))
        self.metrics = self.metrics or endpoint.metrics


def create_app(platform: Platform, declared: Iterable[Endpoint] | None = None) -> falcon.App[Any, Any]:
    """The WSGI application over a platform's parts. Connects to nothing."""
    app: falcon.App[Any, Any] = falcon.App(middleware=[Envelope(Origins.of(platform.config), platform.metrics, "api")])
    errors.install(app)
    table = endpoints() if declared is None else list(declared)
    paths: dict[str, _Path] = {}
    for endpoint in [*table, *openapi.endpoints(table)]:
        paths.setdefault(endpoint.path, _Path()).add(platform, endpoint)
    for path, resource in paths.items():
        app.add_route(path, resource)
    return app
