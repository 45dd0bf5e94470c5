"""Metrics (operations.md 8.1): counters, timers and gauges for statsd, and the same numbers for ``/metrics``.

Sending never breaks or delays the service: statsd is UDP, and a failed send is dropped.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from st2common.config.options import Metrics as MetricsOptions
from st2common.log import getLogger

LOG = getLogger("st2common.metrics")


class Metrics:
    """A process's metrics. Thread-safe.

    Args:
        options: the ``[metrics]`` section; driver noop, echo or statsd.
    """

    def __init__(self, options: MetricsOptions) -> None:
        self._prefix = "st2." + (f"{options.prefix}." if options.prefix else "")
        self._driver = options.driver
        self._lock = threading.Lock()
        self._counters: dict[str, float] = {}
        self._gauges: dict[str, float] = {}
        self._timers: dict[str, tuple[int, float]] = {}
        self._address = (options.host, options.port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if options.driver == "statsd" else None

    def count(self, name: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + amount
        self._send(name, f"{amount:g}|c")

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        with self._lock:
            self._gauges[name] = value
        self._send(name, f"{value:g}|g")

    def time(self, name: str, seconds: float) -> None:
        """Record a duration, in seconds."""
        with self._lock:
            count, total = self._timers.get(name, (0, 0.0))
            self._timers[name] = (count + 1, total + seconds)
        self._send(name, f"{seconds:g}|ms")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count and time the block."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.time(name, time.monotonic() - started)

    def exposition(self) -> str:
        """All numbers in the Prometheus text format."""
        lines: list[str] = []
        with self._lock:
            for name, value in sorted(self._counters.items()):
                lines += [f"# TYPE {_prometheus(name)}_total counter", f"{_prometheus(name)}_total {value:g}"]
            for name, value in sorted(self._gauges.items()):
                lines += [f"# TYPE {_prometheus(name)} gauge", f"{_prometheus(name)} {value:g}"]
            for name, (count, total) in sorted(self._timers.items()):
                base = f"{_prometheus(name)}_seconds"
                lines += [f"# TYPE {base} summary", f"{base}_count {count}", f"{base}_sum {total:g}"]
        return "\n".join(lines) + "\n"

    def _send(self, name: str, value: str) -> None:
        if self._driver == "echo":
            LOG.debug("metric %s%s:%s", self._prefix, name, value)
        elif self._socket is not None:
            try:
                self._socket.sendto(f"{self._prefix}{name}:{value}".encode(), self._address)
            except OSError as error:
                LOG.debug("metric not sent: %s", error)


def _prometheus(name: str) -> str:
    return "st2_" + re.sub(r"[^a-zA-Z0-9_]", "_", name)
