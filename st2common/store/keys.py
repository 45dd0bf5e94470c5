"""The datastore (content.md section 7). Values arrive encrypted or plain; crypto is the caller's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import Clock, to_us
from st2common.models import KeyValuePair
from st2common.store.query import Page, Query, run


class Keys:
    """Named texts by (scope, stored name). User-scoped stored names are ``user:name``."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[KeyValuePair.collection_name()]
        self._clock = clock

    def get(self, scope: str, name: str) -> KeyValuePair | None:
        """The pair, None when absent or expired (the database may remove it up to a minute late)."""
        document = self.collection.find_one({"scope": scope, "name": name})
        if document is None or self._expired(document):
            return None
        return KeyValuePair.from_mongo(document)

    def read(self, scope: str, name: str) -> str | None:
        """The stored value only (for templates)."""
        document = self.collection.find_one({"scope": scope, "name": name}, {"value": 1, "expire_timestamp": 1})
        return None if document is None or self._expired(document) else document["value"]

    def set(
        self, scope: str, name: str, value: str, *, secret: bool = False, encrypted: bool = False, ttl_s: float | None = None,
        description: str | None = None,
    ) -> tuple[KeyValuePair, KeyValuePair | None]:  # fmt: skip
        """Create or overwrite; keeps the id, sets or clears the expiry. Returns (new, old or None)."""
        change: dict[str, Any] = {"value": value, "secret": secret, "encrypted": encrypted}
        gone: dict[str, Any] = {}
        if ttl_s is None:
            gone = {"expires": 1, "expire_timestamp": 1}
        else:
            moment = self._clock.now() + timedelta(seconds=ttl_s)
            change.update(expires=moment, expire_timestamp=to_us(moment))
        if description is not None:
            change["description"] = description
        update: dict[str, Any] = {"$set": change}
        if gone:
            update["$unset"] = gone
        for _ in range(3):
            old = self.collection.find_one({"scope": scope, "name": name})
            if old is not None:
                if self.collection.update_one({"_id": old["_id"]}, update).matched_count:
                    return self._merged(old, change, gone), None if self._expired(old) else KeyValuePair.from_mongo(old)
                continue
            document = {"_id": ObjectId(), "scope": scope, "name": name, **change}
            try:
                self.collection.insert_one(document)
            except DuplicateKeyError:
                continue
            return KeyValuePair.from_mongo(document), None
        raise RuntimeError(f"key {scope} {name} changes too fast to be set")

    def delete(self, scope: str, name: str) -> KeyValuePair | None:
        """Remove; returns what was there."""
        old = self.get(scope, name)
        if old is None or not self.collection.delete_one({"_id": old.id}).deleted_count:
            return None
        return old

    def page(self, query: Query) -> tuple[list[KeyValuePair], int]:
        """One page and the number of all matches."""
        page: Page = run(self.collection, query)
        return [KeyValuePair.from_mongo(row) for row in page.documents if not self._expired(row)], page.total

    def _expired(self, document: dict[str, Any]) -> bool:
        moment = document.get("expire_timestamp")
        return moment is not None and moment <= self._clock.now_us()

    @staticmethod
    def _merged(old: dict[str, Any], change: dict[str, Any], gone: dict[str, Any]) -> KeyValuePair:
        merged = {key: value for key, value in old.items() if key not in gone}
        return KeyValuePair.from_mongo({**merged, **change})
