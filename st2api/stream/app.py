"""The stream's ASGI application (api.md section 5)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl

import falcon.asgi
from bson import ObjectId

from st2api.stream.bodies import OutputBody, StreamBody
from st2api.stream.events import StreamEvent, output_events
from st2api.stream.filters import parse_filter
from st2api.stream.hub import Hub
from st2common.exceptions import NotFound
from st2common.platform import Platform
from st2common.security.access import Requester, authenticate, authorize
from st2common.web import errors
from st2common.web.cors import Origins
from st2common.web.envelope import Envelope
from st2common.web.health import health

MEDIA = "text/event-stream; charset=UTF-8"
_OUTPUT_FIELDS = ("status", "action_ref", "runner_name", "output")


class StreamApp(falcon.asgi.App):
    """The application with its hub.

    Args:
        platform: the process's parts.
    """

    def __init__(self, platform: Platform) -> None:
        self.hub = Hub(platform)
        super().__init__(middleware=[Envelope(Origins.of(platform.config), platform.metrics, "stream"), _Life(self.hub)])
        errors.install(self)
        self.add_route("/stream", _Stream(platform, self.hub))
        self.add_route("/executions/{id}/output", _Output(platform, self.hub))
        self.add_route("/healthz", _Healthz(platform))
        self.add_route("/metrics", _MetricsText(platform))

    def drain(self) -> None:
        """The process stops: end every stream."""
        self.hub.drain()


class _Life:
    """Starts and stops the hub with the process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def process_startup(self, scope: Any, event: Any) -> None:
        self._hub.start()

    async def process_shutdown(self, scope: Any, event: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._hub.stop)


async def _requester(platform: Platform, request: Any, response: Any) -> tuple[Requester, dict[str, str]]:
    """Who asks, and the query. The database is asked in a thread."""
    query = dict(parse_qsl(request.query_string, keep_blank_values=True))
    headers = {name.lower(): value for name, value in request.headers.items()}
    cookies = request.cookies
    requester = await asyncio.to_thread(authenticate, platform, headers, query, cookies)
    if requester.cookie:
        response.append_header("Set-Cookie", requester.cookie)
    return requester, query


def _open(response: Any, body: Any) -> None:
    response.content_type = MEDIA
    response.set_header("Cache-Control", "no-cache")
    response.set_header("X-Accel-Buffering", "no")
    response.stream = body


class _Stream:
    """``GET /stream``."""

    metrics = True

    def __init__(self, platform: Platform, hub: Hub) -> None:
        self._platform = platform
        self._hub = hub

    async def on_get(self, request: Any, response: Any) -> None:
        requester, query = await _requester(self._platform, request, response)
        authorize(requester, "stream_view")
        _open(response, StreamBody(await self._hub.subscribe(parse_filter(query))))


class _Output:
    """``GET /executions/{id}/output``."""

    def __init__(self, platform: Platform, hub: Hub) -> None:
        self._store = platform.store
        self._platform = platform
        self._hub = hub

    async def on_get(self, request: Any, response: Any, id: str) -> None:
        requester, query = await _requester(self._platform, request, response)
        document = await asyncio.to_thread(self._find, id)
        authorize(requester, "execution_view", document)
        execution_id = str(document["_id"])
        wanted = query.get("output_type") or None
        subscription = await self._hub.subscribe(OutputBody.filter(execution_id))

        async def read() -> tuple[str, list[StreamEvent]]:
            return await asyncio.to_thread(self._read, execution_id)

        _open(response, OutputBody(subscription, read, None if wanted == "all" else wanted))

    def _find(self, id: str) -> dict[str, Any]:
        if id == "last":
            document = self._store.executions.newest()
        else:
            document = self._store.executions.get(id, _OUTPUT_FIELDS) if ObjectId.is_valid(id) else None
        if document is None:
            raise NotFound(f'Unable to identify resource with id "{id}".')
        return document

    def _read(self, execution_id: str) -> tuple[str, list[StreamEvent]]:
        """Status before output: output that is there when the status is final is all of it."""
        document = self._find(execution_id)
        chunks = [*self._store.outputs.read(execution_id), *(document.get("output") or ())]
        return document["status"], list(output_events(execution_id, document["action_ref"], document["runner_name"], chunks))


class _Healthz:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def on_get(self, request: Any, response: Any) -> None:
        response.status, body = await asyncio.to_thread(health, self._platform)
        response.data, response.content_type = errors.dumps(body), errors.JSON


class _MetricsText:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def on_get(self, request: Any, response: Any) -> None:
        response.data, response.content_type = self._platform.metrics.exposition().encode(), "text/plain; version=0.0.4"
