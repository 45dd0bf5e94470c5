"""Content-addressed copies of documents as they were when an execution was requested."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Any

import orjson
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.models.fields import pack_json_text, unpack_json_text

_CACHE_SIZE = 2000


class Snapshots:
    """Stores each distinct document once. Writers and readers keep a small cache, so the hot path touches no database."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["snapshots"]
        self._lock = threading.Lock()
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def put(self, kind: str, document: dict[str, Any]) -> str:
        """Keep ``document`` (an API form); returns its hash."""
        # Keys stay in their order: that of parameters decides the order of script arguments (runners.md section 1).
        text = orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS, default=str)
        digest = hashlib.sha256(text).hexdigest()[:32]
        if self._cached(digest) is None:
            try:
                self._collection.insert_one({"_id": digest, "kind": kind, "content": pack_json_text(text)})
            except DuplicateKeyError:
                pass
            self._remember(digest, text)
        return digest

    def texts(self, digests: set[str]) -> dict[str, bytes]:
        """JSON text by hash; a hash that is gone is absent."""
        found: dict[str, bytes] = {}
        missing: list[str] = []
        for digest in digests:
            text = self._cached(digest)
            if text is None:
                missing.append(digest)
            else:
                found[digest] = text
        if missing:
            for row in self._collection.find({"_id": {"$in": missing}}):
                text = unpack_json_text(row["content"])
                self._remember(row["_id"], text)
                found[row["_id"]] = text
        return found

    def get(self, digest: str | None) -> dict[str, Any]:
        """The document, {} when it is gone."""
        if not digest:
            return {}
        text = self.texts({digest}).get(digest)
        return orjson.loads(text) if text else {}

    def _cached(self, digest: str) -> bytes | None:
        with self._lock:
            text = self._texts.get(digest)
            if text is not None:
                self._texts.move_to_end(digest)
            return text

    def _remember(self, digest: str, text: bytes) -> None:
        with self._lock:
            self._texts[digest] = text
            while len(self._texts) > _CACHE_SIZE:
                self._texts.popitem(last=False)
