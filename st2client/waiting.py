"""Waiting for an execution: quick polls first, then the event stream, else polls in growing steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

WAITING_STATUSES = frozenset({"requested", "scheduled", "running", "canceling"})
"""Statuses `st2 run` waits in; every other one ends the wait (cli.md 4)."""

DELAY_PATIENCE_S = 2.0
"""How long `delayed` is waited for: upstream looks every 2 s, so a shorter delay is never seen there and a longer one ends the wait."""

FIRST_POLLS_S = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3)
"""Pauses before the stream is opened: a short action returns in milliseconds and costs no stream connection."""

POLL_STEPS_S = (0.3, 0.5, 0.8, 1.2, 2.0)
"""Pauses where there is no stream; the last one is repeated."""

SAFETY_POLL_S = 5.0
"""With a stream, look all the same this often: a stream may go silent without closing."""

UPDATE_EVENT = "st2.execution__update"


def is_over(status: str, waited_s: float) -> bool:
    """Whether waiting ends in this status, `waited_s` seconds after the request."""
    if status == "delayed":
        return waited_s >= DELAY_PATIENCE_S
    return status not in WAITING_STATUSES


class EventFeed:
    """Events of a stream read by a thread of its own, so that the caller can wait for them with a timeout.

    Args:
        connect: opens the stream; gets the callback to be told of the open response.
    """

    OPENED = ("opened", None)
    ENDED = ("ended", None)

    def __init__(self, connect: Callable[[Callable[[Any], None]], Iterator[tuple[str, Any]]]) -> None:
        import queue
        import threading

        self._queue: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._empty = queue.Empty
        self._response: Any = None
        self._thread = threading.Thread(target=self._read, args=(connect,), name="st2-events", daemon=True)
        self._thread.start()

    def _read(self, connect: Callable[[Callable[[Any], None]], Iterator[tuple[str, Any]]]) -> None:
        import http.client

        import requests

        try:
            for event in connect(self._opened):
                self._queue.put(event)
        except (requests.exceptions.RequestException, http.client.HTTPException, OSError, ValueError, AttributeError):
            # No stream, a broken one, or one closed under the reader (http.client then meets None): who waits falls back to polling.
            pass
        finally:
            self._queue.put(self.ENDED)

    def _opened(self, response: Any) -> None:
        self._response = response
        self._queue.put(self.OPENED)

    def get(self, timeout_s: float) -> tuple[str, Any] | None:
        """Next item, or None when none came in time. `OPENED`: what happens from now on will be seen; `ENDED`: nothing more comes."""
        try:
            return self._queue.get(timeout=max(timeout_s, 0.0))
        except self._empty:
            return None

    def close(self) -> None:
        """Let go of the stream."""
        if self._response is not None:
            self._response.close()


class ExecutionWaiter:
    """Waits for one execution.

    Args:
        executions: manager; its `stream` is used when there is one.
        execution_id: whom to wait for.
        on_tick: called with (the execution as last seen, seconds waited) after each look and every `tick_s` seconds.
        on_event: called with every execution event of the stream (then events of all executions are asked for, so that
            the tasks of a workflow are among them).
        params: query parameters of each look.
        credentials: `token`, `api_key`.
    """

    def __init__(
        self,
        executions: Any,
        execution_id: str,
        *,
        on_tick: Callable[[Any, float], None] | None = None,
        on_event: Callable[[Any], None] | None = None,
        tick_s: float = 1.0,
        params: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._executions = executions
        self._id = execution_id
        self._on_tick = on_tick
        self._on_event = on_event
        self._tick_s = tick_s
        self._params = params or {}
        self._credentials = credentials or {}
        self._clock = clock
        self._pause = pause
        self._started = clock()
        self._deadline: float | None = None
        self._latest: Any = None

    def wait(self, timeout_s: float | None = None) -> Any:
        """Return the execution once it needs no more waiting. Raises `TimeoutError` after `timeout_s` seconds, `LookupError` if unknown."""
        self._deadline = None if timeout_s is None else self._started + timeout_s
        execution = self._poll_in_steps(FIRST_POLLS_S)
        if execution is None and self._executions.stream is not None:
            execution = self._follow_stream()
        while execution is None:
            execution = self._poll_in_steps(POLL_STEPS_S)
        return execution

    def _waited(self) -> float:
        return self._clock() - self._started

    def _look(self) -> Any | None:
        """The execution if it is over, else None."""
        execution = self._executions.get_by_id(self._id, params=self._params, **self._credentials)
        if execution is None:
            raise LookupError(f"Action execution with id {self._id} not found.")
        self._latest = execution
        over = is_over(execution.status, self._waited())
        if not over:
            self._tick()
        if not over and self._deadline is not None and self._clock() >= self._deadline:
            raise TimeoutError(f"Execution {self._id} is still {execution.status} after {self._waited():.0f} s.")
        return execution if over else None

    def _tick(self) -> None:
        if self._on_tick is not None:
            self._on_tick(self._latest, self._waited())

    def _poll_in_steps(self, steps: tuple[float, ...]) -> Any | None:
        for step in steps:
            self._pause(step)
            execution = self._look()
            if execution is not None:
                return execution
        return None

    def _connect(self, on_open: Callable[[Any], None]) -> Iterator[tuple[str, Any]]:
        only = {} if self._on_event is not None else {"execution_ids": self._id}
        events = [UPDATE_EVENT, "st2.execution__create"] if self._on_event is not None else [UPDATE_EVENT]
        return self._executions.stream.listen_named(
            events, on_open=on_open, end_event=UPDATE_EVENT, end_execution_id=self._id, **only, **self._credentials
        )

    def _follow_stream(self) -> Any | None:
        """Wait by events; None when the stream ended first."""
        feed = EventFeed(self._connect)
        looked = self._clock()
        try:
            while True:
                item = feed.get(self._tick_s)
                if item is EventFeed.ENDED:
                    return self._look()
                if self._is_news(item) or self._clock() - looked >= SAFETY_POLL_S or self._latest.status == "delayed":
                    looked = self._clock()
                    execution = self._look()
                    if execution is not None:
                        return execution
                elif item is None:
                    self._tick()
        finally:
            feed.close()

    def _is_news(self, item: tuple[str, Any] | None) -> bool:
        """Whether the item is a reason to look at once."""
        if item is None:
            return False
        if item is EventFeed.OPENED:
            return True
        data = item[1]
        if not isinstance(data, dict):
            return False
        if self._on_event is not None:
            self._on_event(data)
        return data.get("id") == self._id and data.get("status") not in WAITING_STATUSES


def wait_for_execution(executions: Any, execution_id: str, timeout_s: float | None = None, **credentials: Any) -> Any:
    """Wait for an execution with nothing shown meanwhile; see `ExecutionWaiter`."""
    return ExecutionWaiter(executions, execution_id, credentials=credentials).wait(timeout_s)
