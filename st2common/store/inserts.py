"""Writes of several documents under ids that are known before, so that writing them again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

_DUPLICATE = 11000
"""The database's code for a key that exists."""


def insert_new(collection: Collection[dict[str, Any]], documents: Sequence[dict[str, Any]]) -> set[int]:
    """Insert those that are not there yet, in one write. Returns the indexes of those that were there already.

    Raises:
        BulkWriteError: one of them was refused for another reason.
    """
    if not documents:
        return set()
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        problems = error.details.get("writeErrors", [])
        if any(problem.get("code") != _DUPLICATE for problem in problems):
            raise
        return {problem["index"] for problem in problems}
    return set()
