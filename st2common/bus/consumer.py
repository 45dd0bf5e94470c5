"""The consumer loop: read, handle, acknowledge; survive the broker and the database going away for minutes."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kombu
from pymongo.errors import PyMongoError

from st2common.bus.connection import Bus, decode, open_at_once
from st2common.bus.topology import Channel, listener_queue
from st2common.exceptions import Unavailable
from st2common.log import getLogger

LOG = getLogger("st2common.bus")
_LONGEST_PAUSE_S = 10.0


@dataclass
class Delivery:
    """One message in hand.

    Attributes:
        message: the decoded JSON.
        redelivered: the broker says that somebody had it before.
    """

    message: Any
    redelivered: bool


class Consumer:
    """Reads one channel in a thread of its own and hands batches to ``handle``; acknowledges when it returns.

    Args:
        handle: gets 1..``batch`` deliveries. It must be idempotent. If it raises a database or broker error, the same batch is
            tried again after a pause; any other error is logged and the batch is acknowledged (the handler itself must have
            moved a poisonous item to a visible failed state; the sweepers find what is left).
        batch: deliveries per call at most; more than one only if they are there already.
        gate: called before more messages are taken: how many may be? It blocks (for at most about a second) while the process
            is busy, and returns 0 if it still is; then the messages in hand go back, for another process.
    """

    def __init__(
        self, bus: Bus, channel: Channel, handle: Callable[[list[Delivery]], None], *, batch: int = 1, prefetch: int | None = None,
        gate: Callable[[], int] | None = None, on_connect: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._channel = channel
        self._handle = handle
        self._batch = batch
        self._prefetch = prefetch or max(batch, 1)
        self._gate = gate
        self._on_connect = on_connect
        self._is_work = channel.kind == "work"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"consume-{channel.name}", daemon=True)
        self.connected = threading.Event()

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Take no more messages; wait for the one in hand."""
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    # -- the loop ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = 0.1
        while not self._stop.is_set():
            try:
                self._consume()
                pause = 0.1
            except Exception as error:  # noqa: BLE001 - transports raise types of their own; every one means: connect again
                if self._stop.is_set():
                    return
                pause = 0.1 if self.connected.is_set() else min(pause * 2, _LONGEST_PAUSE_S)
                self.connected.clear()
                LOG.warning("broker lost (%s): %s; next try in %.1f s", self._channel.name, _brief(error), pause)
                self._stop.wait(pause)

    def _consume(self) -> None:
        with self._bus.connect() as connection:
            open_at_once(connection)
            with connection.channel() as channel:
                pending: list[Any] = []
                consumer = kombu.Consumer(
                    channel, [self._queue()], on_message=pending.append, prefetch_count=self._prefetch, no_ack=not self._is_work
                )
                with consumer:
                    self.connected.set()
                    if self._on_connect is not None:
                        self._on_connect()
                    while not self._stop.is_set():
                        room = self._batch if self._gate is None else min(self._batch, int(self._gate()))
                        if room > 0:
                            self._turn(connection, pending, room)
                        else:
                            self._pause(connection, consumer, pending)
                self._give_back(pending)

    def _turn(self, connection: kombu.Connection, pending: list[Any], room: int) -> None:
        with contextlib.suppress(TimeoutError):
            if not pending:
                connection.drain_events(timeout=1.0)
            while len(pending) < room:
                connection.drain_events(timeout=0.0001)
        if pending:
            batch, pending[:] = pending[:room], pending[room:]
            self._process(connection, batch)
        _beat(connection)

    def _pause(self, connection: kombu.Connection, consumer: kombu.Consumer, pending: list[Any]) -> None:
        """Hold no messages while the process is full: others may have room."""
        consumer.cancel()
        while not self._stop.is_set():
            self._give_back(pending)
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=0.05)  # what was under way to us, and heartbeats
            _beat(connection)
            if self._gate is None or self._gate() > 0:
                self._give_back(pending)
                consumer.consume()
                return

    def _give_back(self, pending: list[Any]) -> None:
        for message in pending if self._is_work else ():
            message.requeue()
        pending.clear()

    def _process(self, connection: kombu.Connection, batch: list[Any]) -> None:
        deliveries = []
        for message in batch:
            try:
                deliveries.append(Delivery(decode(message.body), bool(message.delivery_info.get("redelivered"))))
            except ValueError:
                LOG.error("dropped a message on %s that is not JSON", self._channel.name)
        pause = 0.2
        while deliveries:
            try:
                self._handle(deliveries)
                break
            except (PyMongoError, Unavailable) as error:
                if self._stop.is_set():
                    return
                LOG.warning("waiting to handle %s: %s", self._channel.name, _brief(error))
                self._stop.wait(pause)
                pause = min(pause * 2, 5.0)
                _beat(connection)
            except Exception:
                LOG.exception("a message on %s could not be handled", self._channel.name)
                break
        for message in batch if self._is_work else ():
            message.ack()

    def _queue(self) -> kombu.Queue:
        if self._is_work:
            return self._bus.queue(self._channel)
        listener = f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
        return listener_queue(self._channel, self._bus.prefix, listener)


def _beat(connection: kombu.Connection) -> None:
    if connection.supports_heartbeats and connection.heartbeat:
        connection.heartbeat_check()


def _brief(error: BaseException) -> str:
    text = str(error).split(", Timeout:")[0]
    return f"{type(error).__name__}: {text[:200]}"
