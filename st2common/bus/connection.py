"""Connections to the broker, and publishing with confirms."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kombu
import orjson

from st2common.bus.embedded import Transport
from st2common.bus.topology import TOPOLOGY, Channel, exchange, work_queue
from st2common.config import Config
from st2common.exceptions import Unavailable
from st2common.log import getLogger

LOG = getLogger("st2common.bus")
_TYPE, _ENCODING = "application/json", "utf-8"
_MUTEX_S = 5
"""Embedded bus only: a process that died while it gave back what others left holds up the rest for no longer than this."""
_RESTORE_EVERY = 30
"""Embedded bus only: a consumer looks for messages of the dead once in so many empty reads."""


def encode(message: Any) -> bytes:
    """A message as JSON bytes."""
    return orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS, default=str)


def decode(body: bytes | str) -> Any:
    """The message in JSON text."""
    return orjson.loads(body)


def open_at_once(connection: kombu.Connection) -> None:
    """Open a connection or raise the transport's error: kombu would wait for two seconds before it says so."""
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=3)


class Bus:
    """A process's access to the broker. Thread-safe; connections are opened when first needed and kept in a pool."""

    def __init__(self, config: Config) -> None:
        options = config.messaging
        self.prefix = options.prefix
        self.quorum = options.quorum_queues
        self.urls = config.messaging_urls
        self._options = options
        self._idle: queue.LifoQueue[_Publisher] = queue.LifoQueue()
        self._closed = threading.Event()

    @property
    def is_embedded(self) -> bool:
        """Whether the broker is Valkey or Redis."""
        return self.urls[0].startswith(("redis", "valkey"))

    def connect(self, *, heartbeat_s: int = 30) -> kombu.Connection:
        """A new connection (not yet open); ``heartbeat_s`` is 0 for those that nobody watches while they idle."""
        options = self._options
        transport: dict[str, Any] = {}
        transport_class = None
        if self.is_embedded:
            transport_class = Transport
            # A priority per message is not used; one list per queue halves the commands.
            transport = {
                "visibility_timeout": options.visibility_timeout, "unacked_restore_limit": 1000, "unacked_mutex_expire": _MUTEX_S,
                "unacked_restore_throttle": _RESTORE_EVERY, "priority_steps": [0], "socket_keepalive": True, "socket_connect_timeout": 3,
                "socket_timeout": 30, "global_keyprefix": f"{self.prefix}:",
            }  # fmt: skip
        ssl: Any = False
        if options.ssl:
            named = {"ca_certs": options.ssl_ca_certs, "certfile": options.ssl_certfile, "keyfile": options.ssl_keyfile}
            ssl = {key: value for key, value in named.items() if value} or True
        heartbeat = 0 if self.is_embedded else heartbeat_s
        arguments: dict[str, Any] = {
            "transport": transport_class, "transport_options": transport, "connect_timeout": 3, "ssl": ssl, "heartbeat": heartbeat,
        }  # fmt: skip
        if options.login_method:
            arguments["login_method"] = options.login_method
        return kombu.Connection(self.urls, failover_strategy="round-robin", **arguments)

    def queue(self, channel: Channel) -> kombu.Queue:
        """The durable queue of a work channel."""
        return work_queue(channel, self.prefix, quorum=self.quorum)

    def declare(self) -> None:
        """Make every exchange and durable queue (idempotent). Raises the transport's error when the broker is away."""
        with self.connect() as connection, connection.channel() as channel:
            for row in TOPOLOGY:
                if row.kind == "work":
                    self.queue(row)(channel).declare()
                else:
                    exchange(row, self.prefix)(channel).declare()

    def ping(self) -> None:
        """Raise ``Unavailable`` when the broker does not answer."""
        try:
            with self.connect() as connection:
                open_at_once(connection)
        except Exception as error:
            raise Unavailable(f"the message broker does not answer: {error}") from error

    def depth(self, channel: Channel) -> int:
        """Messages that wait in a work channel."""
        with self.connect() as connection, connection.channel() as amqp:
            if self.is_embedded:  # an empty list does not exist there, so a passive declaration would fail
                return int(amqp._size(f"{self.prefix}.{channel.name}"))
            return int(self.queue(channel)(amqp).queue_declare(passive=True).message_count)

    def publish(self, channel: Channel, *messages: Any, attempts: int = 4) -> None:
        """Publish; for work channels return only when the broker has taken responsibility.

        Raises:
            Unavailable: the broker could not be reached in ``attempts`` tries (about two seconds).
        """
        for attempt in range(attempts):
            try:
                with self._publisher() as publisher:
                    publisher.send(channel, messages)
                return
            except Exception as error:
                if self._closed.is_set() or attempt == attempts - 1:
                    raise Unavailable(f"the message broker is not available: {type(error).__name__}: {error}") from error
                time.sleep(0.05 * 4**attempt)

    def announce(self, channel: Channel, *messages: Any) -> None:
        """Publish what the database says as well (events, hints): a failure is logged and the sweepers repeat what matters."""
        try:
            self.publish(channel, *messages, attempts=2)
        except Unavailable as error:
            LOG.warning("not announced on %s: %s", channel.name, error)

    def close(self) -> None:
        """Close every pooled connection."""
        self._closed.set()
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    @contextmanager
    def _publisher(self) -> Iterator[_Publisher]:
        try:
            publisher = self._idle.get_nowait()
        except queue.Empty:
            publisher = _Publisher(self)
        try:
            yield publisher
        except BaseException:
            publisher.close()
            self._drop_idle()
            raise
        self._idle.put(publisher)

    def _drop_idle(self) -> None:
        """After a failure the other idle connections are likely dead too."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


class _Publisher:
    """One connection with a producer; used by one thread at a time."""

    def __init__(self, bus: Bus) -> None:
        self._prefix = bus.prefix
        self._connection = bus.connect(heartbeat_s=0)
        try:
            open_at_once(self._connection)
            # A hint to listeners needs no confirm; work does, on a channel of its own.
            work, hints = self._connection.channel(), self._connection.channel()
            if hasattr(work, "basic_publish_confirm"):
                work.basic_publish = work.basic_publish_confirm
            self._work, self._hints = kombu.Producer(work), kombu.Producer(hints)
            for row in TOPOLOGY:
                if row.kind == "work":
                    bus.queue(row)(work).declare()
                else:
                    exchange(row, bus.prefix)(work).declare()
        except BaseException:
            self.close()
            raise

    def send(self, channel: Channel, messages: tuple[Any, ...]) -> None:
        name = f"{self._prefix}.{channel.name}"
        # Straight to the queue by the nameless exchange: the embedded bus would look up its bindings for every message.
        producer, target, key, mode = (self._work, "", name, 2) if channel.kind == "work" else (self._hints, name, "", 1)
        for message in messages:
            producer.publish(
                encode(message), exchange=target, routing_key=key, delivery_mode=mode, content_type=_TYPE, content_encoding=_ENCODING,
                retry=False,
            )  # fmt: skip

    def close(self) -> None:
        """Close without waiting for a broker that may be gone."""
        try:
            self._connection.close()
        except Exception as error:  # noqa: BLE001 - a dead connection cannot be closed any better
            LOG.debug("closing a broken connection: %s", error)
