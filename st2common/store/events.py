"""Trigger instances and rule enforcements: what happened, written once per fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common.clock import Clock
from st2common.models import RuleEnforcement, TriggerInstance
from st2common.store.decided import decided
from st2common.store.inserts import insert_new
from st2common.store.query import Page, Query, run


class TriggerInstances:
    """Events. Ids come from the publisher, so every insert is idempotent."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[TriggerInstance.collection_name()]
        self._clock = clock

    def add_many(self, instances: Sequence[TriggerInstance]) -> set[ObjectId]:
        """Insert new events in one write. Returns the ids that were there already.

        Raises:
            OutcomeUnknown: the database went away in the middle.
        """
        documents = [item.to_mongo() for item in instances]
        return {instances[index].id for index in decided(lambda: insert_new(self.collection, documents))}

    def take_back(self, ids: Sequence[ObjectId]) -> bool:
        """Delete events that could not be announced.

        Returns:
            False when the message of one did arrive and it was processed: then all stay, and the sweeper announces the others.
        """
        still_open = {"_id": {"$in": list(ids)}, "open": {"$gt": 0}}
        if self.collection.count_documents(still_open) < len(ids):
            return False
        return self.collection.delete_many(still_open).deleted_count == len(ids)

    def finish(self, ids: Sequence[ObjectId], status: str) -> None:
        """Give events their final status (``processed`` or ``processing_failed``)."""
        change = {"$set": {"status": status}, "$unset": {"open": 1}}
        if len(ids) == 1:
            self.collection.update_one({"_id": ids[0]}, change)
        elif ids:
            self.collection.update_many({"_id": {"$in": list(ids)}}, change)

    def get(self, id: str | ObjectId) -> TriggerInstance | None:
        """By id."""
        document = self.collection.find_one({"_id": ObjectId(id)})
        return None if document is None else TriggerInstance.from_mongo(document)

    def statuses(self, ids: Sequence[ObjectId]) -> dict[ObjectId, str]:
        """Status by id."""
        return {row["_id"]: row["status"] for row in self.collection.find({"_id": {"$in": list(ids)}}, {"status": 1})}

    def stale(self, older_than_s: float, limit: int = 200) -> list[TriggerInstance]:
        """Unfinished events that were taken longer ago than that: their rules engine died."""
        before = self._clock.now_us() - int(older_than_s * 1_000_000)
        return [TriggerInstance.from_mongo(row) for row in self.collection.find({"open": {"$lt": before}}).limit(limit)]

    def page(self, query: Query) -> tuple[list[TriggerInstance], int]:
        """One page and the number of all matches."""
        page: Page = run(self.collection, query)
        return [TriggerInstance.from_mongo(row) for row in page.documents], page.total


class Enforcements:
    """Rule enforcements. Ids derive from rule and event, so one pair is recorded once."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[RuleEnforcement.collection_name()]
        self._clock = clock

    def add(self, enforcement: RuleEnforcement) -> bool:
        """Record one. False when it is there already."""
        try:
            self.collection.insert_one(enforcement.to_mongo())
        except DuplicateKeyError:
            return False
        return True

    def add_many(self, enforcements: Sequence[RuleEnforcement]) -> None:
        """Record several in one write; those that are there already stay."""
        insert_new(self.collection, [item.to_mongo() for item in enforcements])

    def get(self, id: str | ObjectId) -> RuleEnforcement | None:
        """By id."""
        document = self.collection.find_one({"_id": ObjectId(id)})
        return None if document is None else RuleEnforcement.from_mongo(document)

    def page(self, query: Query) -> tuple[list[RuleEnforcement], int]:
        """One page and the number of all matches."""
        page: Page = run(self.collection, query)
        return [RuleEnforcement.from_mongo(row) for row in page.documents], page.total
