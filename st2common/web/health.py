"""``GET /healthz`` and ``GET /metrics``: for load balancers and monitoring, without credentials."""

from __future__ import annotations

from typing import Any

from pymongo.errors import PyMongoError

from st2common.exceptions import Unavailable
from st2common.platform import Platform
from st2common.web.errors import JSON, dumps


def health(platform: Platform, *, broker: bool = True) -> tuple[int, dict[str, Any]]:
    """Status code and body: 200 when the servers that this service needs answer, else 503. Takes up to a few seconds when they do not.

    Args:
        broker: whether the service needs the message broker.
    """
    parts: dict[str, str] = {}
    try:
        platform.store.ping()
        parts["database"] = "ok"
    except PyMongoError:
        parts["database"] = "unavailable"
    if broker:
        try:
            platform.bus.ping()
            parts["broker"] = "ok"
        except Unavailable:
            parts["broker"] = "unavailable"
    healthy = all(state == "ok" for state in parts.values())
    return (200 if healthy else 503), {"status": "ok" if healthy else "unavailable", **parts}


class Healthz:
    """WSGI resource ``/healthz``."""

    def __init__(self, platform: Platform, *, broker: bool = True) -> None:
        self._platform = platform
        self._broker = broker

    def on_get(self, request: Any, response: Any) -> None:
        """The state of the servers behind this process."""
        response.status, body = health(self._platform, broker=self._broker)
        response.data, response.content_type = dumps(body), JSON


class MetricsText:
    """WSGI resource ``/metrics``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def on_get(self, request: Any, response: Any) -> None:
        """This process's metrics as Prometheus text."""
        response.data, response.content_type = self._platform.metrics.exposition().encode(), "text/plain; version=0.0.4"
