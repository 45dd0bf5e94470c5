"""Leases and revision counters: how processes agree without another server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import Clock
from st2common.models.fields import pack_json, unpack_json


class Revisions:
    """Counters that rise with every change of a kind of content.

    A cache reads one small document per use and reloads when its number is old, so a reader sees every write that was
    answered before it asked: no missed message, no time window.
    """

    _ID = "content"

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._collection = database["revisions"]

    def bump(self, *kinds: str) -> None:
        """Say that content of these kinds changed (after the write, before the answer)."""
        self._collection.update_one({"_id": self._ID}, {"$inc": dict.fromkeys(kinds, 1)}, upsert=True)

    def read(self) -> dict[str, int]:
        """Every counter; a kind never changed is absent."""
        document = self._collection.find_one({"_id": self._ID}) or {}
        return {key: value for key, value in document.items() if key != "_id"}


class Leases:
    """Things that one owner holds for a time. Each operation is one atomic change; expiry needs nobody's help."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self._collection = database["leases"]
        self._clock = clock

    def take(self, name: str, owner: str, seconds: float, *, kind: str = "", info: dict[str, Any] | None = None) -> bool:
        """Take or renew the lease ``name`` for ``owner``. False when another owner holds it."""
        now = self._clock.now_us()
        change: dict[str, Any] = {"kind": kind, "owner": owner, "expires_us": now + int(seconds * 1_000_000)}
        if info is not None:
            change["info"] = pack_json(info)
        mine_or_expired = {"_id": name, "$or": [{"owner": owner}, {"expires_us": {"$lt": now}}]}
        if self._collection.update_one(mine_or_expired, {"$set": change}).matched_count:
            return True
        try:
            self._collection.insert_one({"_id": name, **change})
        except DuplicateKeyError:
            return False
        return True

    def release(self, name: str, owner: str) -> bool:
        """Give the lease back. False when ``owner`` did not hold it."""
        return self._collection.delete_one({"_id": name, "owner": owner}).deleted_count == 1

    def holders(self, kind: str, *, alive: bool = True) -> list[dict[str, Any]]:
        """``{"name", "owner", "expires_us", "info"}`` of the leases of ``kind`` that are alive (or all)."""
        criteria: dict[str, Any] = {"kind": kind}
        if alive:
            criteria["expires_us"] = {"$gte": self._clock.now_us()}
        return [
            {"name": row["_id"], "owner": row["owner"], "expires_us": row["expires_us"], "info": unpack_json(row.get("info"), {})}
            for row in self._collection.find(criteria)
        ]

    def drop_expired(self, kinds: Iterable[str], older_than_s: float) -> int:
        """Delete leases of ``kinds`` that expired longer than that ago; returns how many."""
        limit = self._clock.now_us() - int(older_than_s * 1_000_000)
        return self._collection.delete_many({"kind": {"$in": list(kinds)}, "expires_us": {"$lt": limit}}).deleted_count
