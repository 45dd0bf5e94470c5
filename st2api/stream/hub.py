"""One reader of the bus, many listeners: the fan-out of the stream."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import deque
from typing import Any

from st2api.stream.events import EventBuilder, StreamEvent, dumps, frame
from st2api.stream.filters import Filter, matches
from st2common.bus import EVENTS, Consumer, Delivery
from st2common.exceptions import Unavailable
from st2common.log import getLogger
from st2common.platform import Platform

LOG = getLogger("st2api.stream")
DROPPED = "st2.stream__dropped"
_PROBE = "stream.probe"
_CONNECT_S = 5.0
_HANDOVER_S = 10.0
_MOST_BYTES = 32 * 1024 * 1024
_LAST_WORDS_S = 30.0


class Subscription:
    """A listener's queue. Used in the loop's thread only.

    Args:
        filter: what it gets.
        heartbeat_s: silence after which ``take`` returns without events.
        max_queue: events held before the listener counts as too slow.
    """

    __slots__ = ("_bytes", "_hub", "_is_over", "_last", "_limit", "_pending", "_pulse", "_task", "_timer", "_waiter", "filter")

    def __init__(self, hub: Hub, filter: Filter, heartbeat_s: float, max_queue: int) -> None:
        self.filter = filter
        self._hub = hub
        self._limit = max_queue
        self._pulse = heartbeat_s
        self._pending: deque[StreamEvent] = deque()
        self._bytes = 0
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None
        self._task = asyncio.current_task()
        loop = hub.loop
        self._last = loop.time()
        self._timer = loop.call_later(heartbeat_s, self._on_timer)

    def offer(self, event: StreamEvent) -> None:
        """Queue an event. A listener that is too slow to take them loses all, is told so, and ends."""
        if self._is_over:
            return
        if len(self._pending) >= self._limit or (self._pending and self._bytes + len(event.frame) > _MOST_BYTES):
            self._drop(len(self._pending) + 1)
            return
        self._pending.append(event)
        self._bytes += len(event.frame)
        self._wake()

    def end(self) -> None:
        """What is queued is still sent, then no more."""
        self._is_over = True
        self._wake()

    async def take(self) -> list[StreamEvent] | None:
        """The next events; [] after the heartbeat's time of silence; None at the end."""
        if not self._pending and not self._is_over:
            self._waiter = self._hub.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._pending and self._is_over:
            return None
        events = list(self._pending)
        self._pending.clear()
        self._bytes = 0
        self._last = self._hub.loop.time()
        return events

    def close(self) -> None:
        """The listener is gone."""
        self._is_over = True
        self._timer.cancel()
        self._hub.forget(self)
        self._task = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _on_timer(self) -> None:
        """One timer per listener, moved on when it fires rather than at every event."""
        silent = self._hub.loop.time() - self._last
        if silent >= self._pulse - 0.01:
            silent = 0.0
            self._wake()
        self._timer = self._hub.loop.call_later(self._pulse - silent, self._on_timer)

    def _drop(self, events: int) -> None:
        LOG.warning("a listener of the stream is too slow: %d events dropped, connection ended", events)
        self._pending.clear()
        self._bytes = 0
        data = {"reason": "this connection read too slowly", "events": events}
        self._pending.append(StreamEvent(DROPPED, frame(DROPPED, dumps(data))))
        self.end()
        if self._task is not None:  # it may never read the last words either
            self._timer.cancel()
            self._timer = self._hub.loop.call_later(_LAST_WORDS_S, self._task.cancel)


class Hub:
    """Reads the channel of events in a thread of its own and hands each event to the listeners that want it."""

    def __init__(self, platform: Platform) -> None:
        options = platform.config.stream
        self._platform = platform
        self._heartbeat_s = float(options.heartbeat)
        self._max_queue = options.max_queue
        self._groups: dict[Filter, set[Subscription]] = {}
        self._globs: tuple[tuple[str, ...], ...] = ()
        self._token = uuid.uuid4().hex
        self._is_live = threading.Event()
        self._is_draining = False
        self._consumer: Consumer | None = None
        self.loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment]  # set by start

    @property
    def listeners(self) -> int:
        """How many there are."""
        return sum(len(group) for group in self._groups.values())

    def start(self) -> None:
        """Begin to read; called in the loop that the listeners live in."""
        self.loop = asyncio.get_running_loop()
        self._builder = EventBuilder(self._platform.store, self._is_wanted)
        self._consumer = Consumer(self._platform.bus, EVENTS, self._handle, batch=200, prefetch=500, on_connect=self._is_live.clear)
        self._consumer.start()

    def stop(self) -> None:
        """End the reader."""
        if self._consumer is not None:
            self._consumer.stop(2.0)

    def drain(self) -> None:
        """The process stops: every stream ends, so that clients connect to another process."""
        self._is_draining = True
        for group in list(self._groups.values()):
            for subscription in list(group):
                subscription.end()

    async def subscribe(self, filter: Filter) -> Subscription:
        """A new listener, from now on sure to get every event.

        Raises:
            Unavailable: the broker is away, or the process stops.
        """
        await self._be_live()
        if self._is_draining:
            raise Unavailable("The stream service is stopping.")
        subscription = Subscription(self, filter, self._heartbeat_s, self._max_queue)
        self._groups.setdefault(filter, set()).add(subscription)
        self._listeners_changed()
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Remove a listener."""
        group = self._groups.get(subscription.filter)
        if group is None or subscription not in group:
            return
        group.discard(subscription)
        if not group:
            del self._groups[subscription.filter]
        self._listeners_changed()

    def deliver(self, events: list[StreamEvent]) -> None:
        """Give events to those who want them."""
        groups = list(self._groups.items())
        for event in events:
            for filter, group in groups:
                if filter.passes(event):
                    for subscription in group:
                        subscription.offer(event)
                if filter.ends_with(event):
                    for subscription in group:
                        subscription.end()

    def _listeners_changed(self) -> None:
        self._globs = tuple({filter.watched for filter in self._groups})
        self._platform.metrics.gauge("stream.connections", self.listeners)

    def _is_wanted(self, name: str) -> bool:
        return any(matches(globs, name) for globs in self._globs)

    # -- the consumer's thread -------------------------------------------------------------------------------------------------------

    def _handle(self, deliveries: list[Delivery]) -> None:
        messages: list[Any] = []
        for delivery in deliveries:
            if isinstance(delivery.message, dict) and delivery.message.get("event") == _PROBE:
                if delivery.message.get("token") == self._token:
                    self._is_live.set()
            else:
                messages.append(delivery.message)
        events = self._builder.build(messages) if self._globs else []
        if not events:
            return
        done = threading.Event()

        def hand_over() -> None:
            self.deliver(events)
            done.set()

        self.loop.call_soon_threadsafe(hand_over)
        done.wait(_HANDOVER_S)  # so that a busy loop slows the reading, not fills the memory

    async def _be_live(self) -> None:
        """Wait until the reader is known to get messages: it has heard one of ours. A broker may confirm a listener before it is one."""
        deadline = self.loop.time() + _CONNECT_S
        pause = 0.02
        while True:
            is_connected = self._consumer is not None and self._consumer.connected.is_set()
            if is_connected and self._is_live.is_set():
                return
            if self.loop.time() > deadline:
                raise Unavailable("The message broker is not available.")
            if is_connected:
                await self.loop.run_in_executor(None, self._platform.bus.announce, EVENTS, {"event": _PROBE, "token": self._token})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.3)
