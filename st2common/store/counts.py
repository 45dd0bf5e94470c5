"""How many documents match: the embedded database walks all of them, so a slow count is kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from pymongo.collection import Collection

from st2common.shared_read import SharedRead

_SLOW_S = 0.05
_KEPT_FOR = 20
"""A slow count serves for so many times what it took: counting costs a twentieth of a core at most."""
_MOST = 1000


class _Count:
    """The number of documents that match one filter."""

    def __init__(self, collection: Collection[dict[str, Any]], criteria: Mapping[str, Any]) -> None:
        self._collection = collection
        self._criteria = dict(criteria)
        self._read = SharedRead(self._count)
        self._kept: tuple[float, int] | None = None
        """(monotonic moment up to which it serves, number)."""

    def number(self) -> int:
        kept = self._kept
        if kept is not None and (time.monotonic() < kept[0] or self._read.is_busy):
            return kept[1]
        return self._read.get()

    def _count(self) -> int:
        started = time.monotonic()
        total = self._collection.count_documents(self._criteria)
        spent = time.monotonic() - started
        self._kept = (started + (1 + _KEPT_FOR) * spent, total) if spent > _SLOW_S else None
        return total


_counts: dict[tuple[str, str], _Count] = {}
_lock = threading.Lock()


def number(collection: Collection[dict[str, Any]], criteria: Mapping[str, Any]) -> int:
    """Number of matches; threads that ask for the same at the same time share one count."""
    if not criteria:
        return int(collection.estimated_document_count())
    key = (collection.full_name, repr(criteria))
    with _lock:
        if key not in _counts:
            if len(_counts) >= _MOST:
                _counts.clear()
            _counts[key] = _Count(collection, criteria)
        counter = _counts[key]
    return counter.number()
