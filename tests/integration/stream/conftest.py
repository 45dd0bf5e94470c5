"""A running stream service, what publishes to it, and a reader of server-sent events."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from bson import ObjectId

from st2common import states
from st2common.bus import EVENTS
from st2common.platform import Platform
from st2common.store.executions import NewExecution, packed
from tests.integration.service_process import ServiceProcess

ACTION = {
    "id": "6b02e4d9560fca4c7ce40001", "ref": "core.local", "pack": "core", "name": "local",
    "parameters": {"cmd": {"type": "string"}, "password": {"type": "string", "secret": True}},
}  # fmt: skip
RUNNER = {"name": "local-shell-cmd", "runner_parameters": {}}


class Reader:
    """Reads a stream in a thread.

    Args:
        url: of the service.
        path: with the query.
    """

    def __init__(self, url: str, path: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        self._connection.request("GET", path)
        self._response = self._connection.getresponse()
        assert self._response.status == 200, self._response.read()
        self._rest = self._response.read1()
        assert self._rest.startswith(b"\n")
        self._events: queue.Queue[tuple[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._take(b"")
            while piece := self._response.read1(1 << 20):
                self._take(piece)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # hung up
        finally:
            self._events.put(None)

    def _take(self, piece: bytes) -> None:
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if line)
            if fields:
                data = fields["data"]
                self._events.put((fields["event"], json.loads(data) if data != "''" else data))

    def next(self, seconds: float = 10) -> tuple[str, Any] | None:
        """The next event, None at the end of the stream."""
        return self._events.get(timeout=seconds)

    def until(self, name: str) -> Any:
        """Data of the first event of that name."""
        while True:
            event = self.next()
            assert event is not None, f"the stream ended before {name}"
            if event[0] == name:
                return event[1]

    def rest(self) -> list[tuple[str, Any]]:
        """Everything up to the end of the stream."""
        found = []
        while (event := self.next()) is not None:
            found.append(event)
        return found

    def close(self) -> None:
        """Hang up."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()


class Source:
    """What the rest of the platform does: executions in the database, events on the bus."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        platform.store.ensure_indexes()

    def execution(self, *, status: str = states.RUNNING, parameters: dict[str, Any] | None = None) -> str:
        """A new execution of core.local."""
        store = self.platform.store
        new = NewExecution(
            "core.local", "local-shell-cmd", store.snapshots.put("action", ACTION), store.snapshots.put("runner", RUNNER), parameters or {"cmd": "x"},
            {"user": "stanley", "pack": "core"}, "stanley", str(ObjectId()), status=status,
        )  # fmt: skip
        return str(store.executions.request(new)[0]["_id"])

    def say(self, id: str, name: str = "update") -> None:
        """Publish the event of an execution."""
        document = self.platform.store.executions.get(id)
        assert document is not None
        self.publish({"event": f"st2.execution__{name}", **self.platform.view.event(document)})

    def output(self, id: str, chunks: list[list[Any]], sequence: int, *, is_told: bool = True) -> None:
        """Store a batch of output and publish it."""
        self.platform.store.outputs.add(id, sequence, chunks)
        if is_told:
            self.publish(
                {
                    "event": "st2.execution.output__create",
                    "execution_id": id,
                    "action_ref": "core.local",
                    "runner_ref": "local-shell-cmd",
                    "chunks": chunks,
                }
            )

    def finish(self, id: str, result: Any, output: list[list[Any]] | None = None) -> None:
        """The execution succeeds."""
        fields = packed(result=result, output=output) if output else packed(result=result)
        assert self.platform.store.executions.transition(id, states.SUCCEEDED, sources=[states.RUNNING], fields=fields)
        self.say(id)

    def announce(self, route: str, **payload: Any) -> None:
        """An announcement."""
        self.publish({"event": f"st2.announcement__{route}", "payload": {"payload": payload, "trace_context": None}})

    def publish(self, message: dict[str, Any]) -> None:
        """Anything."""
        self.platform.bus.publish(EVENTS, message)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, database_url: str, bus_url: str) -> Iterator[ServiceProcess]:
    """A stream service with a short heartbeat and a small queue, authentication off."""
    options = {"auth": {"enable": "false"}, "stream": {"heartbeat": "2", "max_queue": "200"}}
    with ServiceProcess("st2api.stream.main", "stream", tmp_path_factory.mktemp("stream"), database_url, bus_url, options) as service:
        yield service


@pytest.fixture(scope="module")
def source(stream: ServiceProcess) -> Iterator[Source]:
    """Publishes to it."""
    platform = Platform(stream.config)
    yield Source(platform)
    platform.store.database.client.drop_database(platform.config.database.db_name)
    platform.close()


@contextmanager
def listening(url: str, path: str = "/v1/stream", **query: str) -> Iterator[Reader]:
    """A reader that is sure to get every event from now on: it has seen the first newline."""
    reader = Reader(url, f"{path}?{urlencode(query)}")
    try:
        yield reader
    finally:
        reader.close()


@pytest.fixture
def listen(stream: ServiceProcess) -> Callable[..., Any]:
    """``with listen(events="...") as reader``."""
    return lambda path="/v1/stream", **query: listening(stream.url, path, **query)
