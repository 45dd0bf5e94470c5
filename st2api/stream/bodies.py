"""What is written into the connections: the bodies of ``/stream`` and of ``/executions/{id}/output``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

from st2api.stream.events import EXECUTION_UPDATE, OUTPUT, StreamEvent, frame
from st2api.stream.filters import Filter
from st2api.stream.hub import DROPPED, Subscription
from st2common import states

NEWLINE = b"\n"
EOF = frame("EOF", b"''")
_ENDS = states.FINAL | {states.PAUSING, states.RESUMING}


class StreamBody:
    """Everything that passes the filter, with heartbeats; begins with a newline at once."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._has_begun = False

    def __aiter__(self) -> StreamBody:
        return self

    async def __anext__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return NEWLINE
        events = await self._subscription.take()
        if events is None:
            raise StopAsyncIteration
        return b"".join([event.frame for event in events]) if events else NEWLINE

    async def close(self) -> None:
        """The connection is gone."""
        self._subscription.close()


ReadOutput = Callable[[], Awaitable[tuple[str, list[StreamEvent]]]]
"""Gives the execution's status and all of its output so far."""


class OutputBody:
    """An execution's output from its beginning to its end, each line once, then ``EOF``.

    Args:
        subscription: was made before the first ``read``, so nothing can fall between.
        read: the execution's status and output from the database; also asked at every heartbeat and at the end, so that a message
            that was lost on the bus costs time and no output.
        output_type: only this kind of output; None = all.
    """

    def __init__(self, subscription: Subscription, read: ReadOutput, output_type: str | None) -> None:
        self._subscription = subscription
        self._read = read
        self._output_type = output_type
        self._sent: Counter[str] = Counter()
        self._has_begun = False
        self._is_over = False

    @staticmethod
    def filter(execution_id: str) -> Filter:
        """What the subscription must listen for."""
        return Filter((OUTPUT, EXECUTION_UPDATE), execution_ids=frozenset({execution_id}))

    def __aiter__(self) -> OutputBody:
        return self

    async def __anext__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return NEWLINE + await self._from_store()
        while not self._is_over:
            data = await self._step()
            if data:
                return data
        raise StopAsyncIteration

    async def close(self) -> None:
        """The connection is gone."""
        self._subscription.close()

    async def _step(self) -> bytes:
        events = await self._subscription.take()
        if events is None:
            self._is_over = True
            return b""
        if not events:
            return await self._from_store() or NEWLINE
        data = b"".join([self._once(event) for event in events if event.name == OUTPUT])
        if any(event.name == DROPPED for event in events):
            self._is_over = True
            return data + events[-1].frame
        if any(event.status in _ENDS for event in events if event.name == EXECUTION_UPDATE):
            return data + await self._from_store(is_end=True)
        return data

    def _once(self, event: StreamEvent) -> bytes:
        """A live line, unless the database showed it before."""
        key = event.key or ""
        if self._sent[f"stored:{key}"]:
            self._sent[f"stored:{key}"] -= 1
            return b""
        self._sent[key] += 1
        return event.frame if self._is_shown(event) else b""

    async def _from_store(self, *, is_end: bool = False) -> bytes:
        """Lines that are in the database and were not sent yet; the end, if it has come."""
        status, lines = await self._read()
        data = b"".join(self._missing(lines))
        if is_end or status in _ENDS:
            self._is_over = True
            data += EOF
        return data

    def _missing(self, lines: Iterable[StreamEvent]) -> Iterable[bytes]:
        seen: Counter[str] = Counter()
        for event in lines:
            key = event.key or ""
            seen[key] += 1
            if seen[key] > self._sent[key]:
                self._sent[key] += 1
                self._sent[f"stored:{key}"] += 1
                if self._is_shown(event):
                    yield event.frame

    def _is_shown(self, event: StreamEvent) -> bool:
        return self._output_type is None or event.output_type == self._output_type
