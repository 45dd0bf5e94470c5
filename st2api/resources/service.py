"""About the service itself: version, health, metrics (api.md 1)."""

from __future__ import annotations

import os
import re

from st2api.endpoint import TEXT, Call, Reply, Routes
from st2common import API_COMPATIBILITY_VERSION, __version__
from st2common.web.health import health

routes = Routes("service")

_DOCS = "http://docs.stackstorm.com"
_HEALTH = {
    "type": "object",
    "properties": {"status": {"enum": ["ok", "unavailable"]}, "database": {"type": "string"}, "broker": {"type": "string"}},
    "required": ["status", "database", "broker"],
}


@routes("GET", "/", answer={"type": "object", "properties": {"version": {"type": "string"}, "docs_url": {"type": "string"}}})
def version(call: Call) -> dict[str, str]:
    """Get the version of StackStorm that this API speaks."""
    release = re.match(r"^(\d+\.\d+)\.\d+$", API_COMPATIBILITY_VERSION)
    return {"version": API_COMPATIBILITY_VERSION, "docs_url": f"{_DOCS}/{release[1] if release else 'latest'}"}


@routes("GET", "/healthz", public=True, answer=_HEALTH, metrics=False)
def healthz(call: Call) -> Reply:
    """Tell whether database and broker answer; 503 when one does not."""
    status, form = health(call.platform)
    return Reply({**form, "version": __version__, "pid": os.getpid()}, status=status)


@routes("GET", "/metrics", public=True, media=TEXT, metrics=False)
def metrics(call: Call) -> Reply:
    """Get this process's metrics in the Prometheus text format."""
    return Reply(data=call.platform.metrics.exposition().encode(), media="text/plain; version=0.0.4; charset=utf-8")
