"""About the service itself: version, health, metrics (api.md 1)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from pymongo.errors import PyMongoError

from st2api.endpoint import TEXT, Call, Reply, Routes
from st2common import API_COMPATIBILITY_VERSION, __version__
from st2common.exceptions import St2Error

routes = Routes("service")

_DOCS = "http://docs.stackstorm.com"
_PART = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "latency_ms": {"type": "number"}, "error": {"type": "string"}},
    "required": ["ok"],
}
_HEALTH = {
    "type": "object",
    "properties": {"status": {"enum": ["ok", "unavailable"]}, "version": {"type": "string"}, "database": _PART, "broker": _PART},
    "required": ["status", "database", "broker"],
}


@routes("GET", "/", answer={"type": "object", "properties": {"version": {"type": "string"}, "docs_url": {"type": "string"}}})
def version(call: Call) -> dict[str, str]:
    """Get the version of StackStorm that this API speaks."""
    release = re.match(r"^(\d+\.\d+)\.\d+$", API_COMPATIBILITY_VERSION)
    return {"version": API_COMPATIBILITY_VERSION, "docs_url": f"{_DOCS}/{release[1] if release else 'latest'}"}


@routes("GET", "/healthz", public=True, answer=_HEALTH, metrics=False)
def health(call: Call) -> Reply:
    """Tell whether database and broker answer; 503 when one does not."""
    database, broker = _probe(call.platform.store.ping), _probe(call.platform.bus.ping)
    ok = database["ok"] and broker["ok"]
    form = {"status": "ok" if ok else "unavailable", "version": __version__, "database": database, "broker": broker}
    return Reply(form, status=200 if ok else 503)


def _probe(ping: Callable[[], None]) -> dict[str, Any]:
    started = time.monotonic()
    try:
        ping()
    except (PyMongoError, St2Error) as error:
        return {"ok": False, "error": str(error).split(", Timeout:")[0][:200]}
    return {"ok": True, "latency_ms": round((time.monotonic() - started) * 1000, 2)}


@routes("GET", "/metrics", public=True, media=TEXT, metrics=False)
def metrics(call: Call) -> Reply:
    """Get this process's metrics in the Prometheus text format."""
    return Reply(data=call.platform.metrics.exposition().encode(), media="text/plain; version=0.0.4; charset=utf-8")
