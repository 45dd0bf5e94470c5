"""Guessing passwords is slowed down: so many wrong ones per user and address within a minute, then none is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque

from st2common.clock import Clock
from st2common.exceptions import TooManyRequests

WINDOW_S = 60
_MOST_KEYS = 20_000


class FailureLimit:
    """Counts failures by key in a sliding window. Thread-safe; one per process.

    Args:
        limit: failures within the window before ``check`` refuses; 0 = never.
        clock: its monotonic time is used.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def check(self, user: str, address: str) -> None:
        """Refuse another attempt after too many failures.

        Raises:
            TooManyRequests: the text says how long to wait.
        """
        if not self._limit:
            return
        now = self._clock.monotonic()
        with self._lock:
            moments = self._recent((user, address), now)
            if moments is not None and len(moments) >= self._limit:
                wait = max(1, int(moments[0] + WINDOW_S - now) + 1)
                raise TooManyRequests(f"Too many failed attempts. Try again in {wait} seconds.")

    def failed(self, user: str, address: str) -> None:
        """Count a failure."""
        if not self._limit:
            return
        key, now = (user, address), self._clock.monotonic()
        with self._lock:
            moments = self._recent(key, now)
            if moments is None:
                moments = self._failures[key] = deque(maxlen=self._limit)
            moments.append(now)
            self._failures.move_to_end(key)
            while len(self._failures) > _MOST_KEYS:
                self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.pop((user, address), None)

    def _recent(self, key: tuple[str, str], now: float) -> deque[float] | None:
        moments = self._failures.get(key)
        while moments and moments[0] <= now - WINDOW_S:
            moments.popleft()
        return moments
