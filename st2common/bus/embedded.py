"""kombu's redis transport, with what costs CPU and gives nothing taken out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """Keeps one client for its commands: kombu makes a new one for each, which costs more than the command."""

    @cached_property
    def _commands(self) -> Any:
        return self._create_client()

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """The given client, or the channel's own (it takes a connection from the pool for each command)."""
        yield client if client is not None else self._commands


class Transport(redis.Transport):
    """The transport of the embedded bus."""

    Channel = Channel
