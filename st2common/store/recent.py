"""The newest documents of a collection, known by id, on the embedded database.

It reads every document that matches before it sorts and cuts, so the first page of a list would cost as much as the whole history
(decisions: docs/decisions). Here a process keeps the ids of the newest documents and asks only for what came since: one narrow range
of an index. A server of one's own sorts by its index and needs none of this.
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId
from pymongo.collection import Collection

_MARGIN_US = 2_000_000
"""A document may be written so much later than the moment in it, on a busy machine."""

_WIDE_MARGIN_US = 60_000_000
_WIDE_S = 10.0
"""Every so often a wider look finds what was written later still (a writer that was held up)."""

_RELOAD_S = 300.0
_FIRST_WINDOW_US = 60_000_000


class Recent:
    """Ids by moment, newest first. Thread-safe; whoever asks sees everything that was answered before.

    Args:
        collection: the documents.
        moment: their field of microseconds, indexed.
        criteria: only those that match; over fields that never change.
        keep: ids to hold.
    """

    def __init__(self, collection: Collection[dict[str, Any]], moment: str, criteria: Mapping[str, Any], keep: int = 400) -> None:
        self._collection = collection
        self._moment = moment
        self._criteria = dict(criteria)
        self._keep = keep
        self._lock = threading.Lock()
        self._refreshed_at = -1.0
        self._loaded_at = -1.0
        self._wide_at = -1.0
        self._entries: list[tuple[int, ObjectId]] = []
        self._known: set[ObjectId] = set()
        self._whole = False
        self._total = 0

    def page(self, limit: int, offset: int = 0) -> tuple[list[ObjectId], int] | None:
        """Ids of a page and the number of all documents; None when the page lies beyond what is held."""
        arrived = time.monotonic()
        with self._lock:
            if self._refreshed_at <= arrived:  # else somebody asked the database after we came: that is fresh enough
                self._refresh()
            wanted = offset + limit
            if wanted > len(self._entries) and not self._whole:
                return None
            newest = self._entries[::-1][offset:wanted]
            return [id for _, id in newest], self._total

    def forget(self, ids: set[ObjectId]) -> None:
        """These are gone."""
        with self._lock:
            gone = self._known & ids
            self._entries = [entry for entry in self._entries if entry[1] not in gone]
            self._known -= gone
            self._total -= len(gone)

    def _refresh(self) -> None:
        started = time.monotonic()
        if self._loaded_at < 0 or started - self._loaded_at > _RELOAD_S:
            self._load()
            self._loaded_at = started
        else:
            since = self._entries[-1][0] - self._margin_us(started) if self._entries else 0
            for row in self._since(since):
                if row["_id"] not in self._known:
                    self._known.add(row["_id"])
                    bisect.insort(self._entries, (row[self._moment], row["_id"]))
                    self._total += 1
            self._cut()
        self._refreshed_at = started

    def _margin_us(self, moment: float) -> int:
        if moment - self._wide_at < _WIDE_S:
            return _MARGIN_US
        self._wide_at = moment
        return _WIDE_MARGIN_US

    def _since(self, moment: int) -> Iterable[dict[str, Any]]:
        return self._collection.find({**self._criteria, self._moment: {"$gt": moment}}, [self._moment])

    def _load(self) -> None:
        now = time.time_ns() // 1000
        total = self._collection.count_documents(self._criteria) if self._criteria else self._collection.estimated_document_count()
        window = _FIRST_WINDOW_US
        rows: list[dict[str, Any]] = []
        while len(rows) < self._keep < total and window < now:
            rows = list(self._since(now - window))
            window *= 4
        if len(rows) < self._keep:
            rows = list(self._collection.find(self._criteria, [self._moment]))
        self._entries = sorted((row[self._moment], row["_id"]) for row in rows if self._moment in row)
        self._total = max(total, len(self._entries))
        self._whole = len(self._entries) >= self._total
        self._known = {id for _, id in self._entries}
        self._cut()

    def _cut(self) -> None:
        if len(self._entries) > 2 * self._keep:
            dropped, self._entries = self._entries[: -self._keep], self._entries[-self._keep :]
            self._known -= {id for _, id in dropped}
            self._whole = False
