"""One read for all who ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedRead(Generic[T]):
    """Threads that ask together share a read: each waits for one that began after it asked, so nobody gets an older answer than
    from a read of its own.

    Args:
        read: the read; one thread at a time is in it. If it raises, its thread gets the error and the next one tries.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._changed = threading.Condition()
        self._begun = self._done = 0
        """Numbers of the reads."""
        self._busy = False
        self._answer: T

    @property
    def is_busy(self) -> bool:
        """Whether somebody reads just now."""
        return self._busy

    def get(self) -> T:
        """The answer of a read that begins now or later."""
        with self._changed:
            mine = self._begun + 1
            while self._done < mine and self._busy:
                self._changed.wait()
            if self._done >= mine:
                return self._answer
            self._busy = True
            self._begun = mine = self._begun + 1
        try:
            answer = self._read()
            with self._changed:
                self._answer, self._done = answer, mine
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
        return answer
