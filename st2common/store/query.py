"""Bounded list queries, the same for every resource: filter, sort, page, projection, count."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo.collection import Collection

from st2common.store import counts


@dataclass
class Page:
    """One page of a list.

    Attributes:
        documents: raw documents of the page.
        total: number of matches regardless of the page.
    """

    documents: list[dict[str, Any]]
    total: int


@dataclass
class Query:
    """What a list asks for.

    Attributes:
        filter: MongoDB filter made by the platform, never by a client.
        sort: (field, 1 or -1) pairs.
        limit: documents at most; None = all.
        offset: documents to skip.
        projection: fields to read (None = all).
    """

    filter: Mapping[str, Any] = field(default_factory=dict)
    sort: Sequence[tuple[str, int]] = ()
    limit: int | None = None
    offset: int = 0
    projection: Sequence[str] | None = None


_MOMENTS = frozenset({"start_us", "occurrence_time", "enforced_at"})
_FIRST_WINDOW_US = 60_000_000
_LEAST_WINDOW_US = 1_000_000

_windows: dict[tuple[str, str], int] = {}
"""The window that the last list of a kind needed, in microseconds: where the next one begins to look."""


def run(collection: Collection[dict[str, Any]], query: Query) -> Page:
    """Run ``query``: one find and one count.

    A newest-first list by a moment is searched in growing windows of time, because the embedded database sorts everything
    that matches before it cuts; so the price of the first page does not grow with the history.
    """
    documents = _newest(collection, query) if _is_newest_first(query) else _find(collection, query, query.filter)
    is_last_page = query.limit is None or len(documents) < query.limit
    if is_last_page and (documents or not query.offset):
        return Page(documents, query.offset + len(documents))
    return Page(documents, counts.number(collection, query.filter))


def _find(collection: Collection[dict[str, Any]], query: Query, criteria: Mapping[str, Any]) -> list[dict[str, Any]]:
    cursor = collection.find(criteria, list(query.projection) if query.projection is not None else None)
    if query.sort:
        cursor = cursor.sort(list(query.sort))
    if query.offset:
        cursor = cursor.skip(query.offset)
    if query.limit is not None:
        cursor = cursor.limit(query.limit)
    return list(cursor)


def _is_newest_first(query: Query) -> bool:
    if not query.sort or query.limit is None:
        return False
    name, direction = query.sort[0]
    return name in _MOMENTS and direction < 0 and name not in query.filter and "links" not in query.filter


def _newest(collection: Collection[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    name = query.sort[0][0]
    wanted = query.offset + (query.limit or 0)
    now = time.time_ns() // 1000
    kind = (collection.full_name, repr(query.filter))
    window = _windows.get(kind, _FIRST_WINDOW_US)
    while window < now:
        criteria = {**query.filter, name: {"$gte": now - window}}
        found = _find(collection, Query(sort=query.sort, limit=wanted, projection=query.projection), criteria)
        if len(found) >= wanted:
            if found and name in found[-1]:
                _remember_window(kind, 2 * (now - found[-1][name]))
            return found[query.offset :]
        window *= 5
    return _find(collection, query, query.filter)


def _remember_window(kind: tuple[str, str], window: int) -> None:
    if len(_windows) > 1000:
        _windows.clear()
    _windows[kind] = max(_LEAST_WINDOW_US, window)


def starts_with(text: str) -> dict[str, Any]:
    """A filter value for names that begin with ``text``: a range, which an index serves on every database."""
    if not text:
        return {"$exists": True}
    following = ord(text[-1]) + 1
    if following > 0x10FFFF:
        return {"$regex": "^" + re.escape(text)}
    return {"$gte": text, "$lt": text[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)}  # surrogates are no characters
