"""The first pages of the list of executions: what listeners, web pages and scripts ask for again and again.

An execution that ended does not change any more, so its API form is made once and kept as JSON text; only what still runs is read anew.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from bson import ObjectId

from st2common import states
from st2common.execution.view import ExecutionView
from st2common.store import Store
from st2common.store.query import Query

_BYTES = 32 * 1024 * 1024
_LIFE_S = 60.0
"""A form is looked at again after so long: clean-up may have removed the execution."""


class ExecutionPages:
    """Newest executions as JSON.

    Args:
        store: the database.
        view: makes the forms.
    """

    def __init__(self, store: Store, view: ExecutionView) -> None:
        self._store = store
        self._view = view
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[ObjectId, str], tuple[float, bytes]] = OrderedDict()
        self._size = 0

    def newest(
        self, criteria: Mapping[str, Any], limit: int, offset: int, attributes: frozenset[str], fields: Sequence[str], *,
        show_secrets: bool = False,
    ) -> tuple[list[Any], int] | None:  # fmt: skip
        """A page as ``orjson.Fragment`` items, and the number of all that match; None when the page must be read in the usual way.

        Args:
            criteria: of the list.
            attributes: of the form.
            fields: stored fields that these take; ``status`` among them.
        """
        page = self._store.executions.recent(limit, offset, criteria)
        if page is None:
            return None
        ids, total = page
        kind = f"{show_secrets} {' '.join(sorted(attributes))}"
        texts = self._kept(ids, kind)
        missing = [id for id in ids if id not in texts]
        if missing:
            rows = self._store.executions.page(Query({"_id": {"$in": missing}}, projection=fields)).documents
            gone = set(missing) - {row["_id"] for row in rows}
            if gone:
                self._store.executions.forget(gone)
                return self.newest(criteria, limit, offset, attributes, fields, show_secrets=show_secrets)
            forms = self._view.many(rows, show_secrets=show_secrets, attributes=attributes, embed=True)
            for row, form in zip(rows, forms, strict=True):
                texts[row["_id"]] = orjson.dumps(form, option=orjson.OPT_NON_STR_KEYS, default=str)
            self._keep({row["_id"] for row in rows if row["status"] in states.FINAL}, kind, texts)
        return [orjson.Fragment(texts[id]) for id in ids], total

    def _kept(self, ids: Collection[ObjectId], kind: str) -> dict[ObjectId, bytes]:
        now = time.monotonic()
        found = {}
        with self._lock:
            for id in ids:
                kept = self._texts.get((id, kind))
                if kept is not None and kept[0] > now:
                    found[id] = kept[1]
        return found

    def _keep(self, ids: Collection[ObjectId], kind: str, texts: dict[ObjectId, bytes]) -> None:
        until = time.monotonic() + _LIFE_S
        with self._lock:
            for id in ids:
                text = texts[id]
                if len(text) > _BYTES // 100:
                    continue
                old = self._texts.pop((id, kind), None)
                self._size += len(text) - (len(old[1]) if old else 0)
                self._texts[(id, kind)] = (until, text)
            while self._size > _BYTES:
                _, (_, text) = self._texts.popitem(last=False)
                self._size -= len(text)
