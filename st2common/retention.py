"""What may be removed once it is old: the table behind the garbage collector and the purge commands (reactor.md section 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from st2common import states
from st2common.store import Store

_BATCH = 1000
_COLLECTED = [states.SUCCEEDED, states.FAILED, states.TIMEOUT, states.CANCELED]
"""Statuses whose executions and workflow runs are removed; what was abandoned stays for people to look at."""

Criteria = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    Attributes:
        collection: where the documents are.
        older: given the limit (microseconds since the epoch), which documents are done with.
        incomplete: the same, those that never ended included; None: they have no end.
        dependants: collections with documents that belong to these, and the field that names the owner's id.
    """

    collection: str
    older: Callable[[int], Criteria]
    incomplete: Callable[[int], Criteria] | None = None
    dependants: tuple[tuple[str, str], ...] = ()


EXECUTIONS = Kind(
    "executions",
    lambda us: {"status": {"$in": _COLLECTED}, "start_us": {"$lt": us}, "end_us": {"$lt": us}},
    lambda us: {"start_us": {"$lt": us}},
    (("execution_output", "execution_id"),),
)
OUTPUT = Kind("execution_output", lambda us: {"moment": {"$lt": us}})
TRIGGER_INSTANCES = Kind("trigger_instances", lambda us: {"occurrence_time": {"$lt": us}})
TOKENS = Kind("tokens", lambda us: {"expiry": {"$lt": us}})
RULE_ENFORCEMENTS = Kind("rule_enforcements", lambda us: {"enforced_at": {"$lt": us}})
WORKFLOWS = Kind(
    "workflow_executions",
    lambda us: {"status": {"$in": _COLLECTED}, "updated_us": {"$lt": us}},
    lambda us: {"updated_us": {"$lt": us}},
    (("workflow_parts", "workflow"),),
)


def remove_older(
    store: Store, kind: Kind, limit_us: int, *, incomplete: bool = False, also: Criteria | None = None, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Delete what is older, in batches by id, so that no single operation holds the database for long.

    Args:
        store: from where.
        kind: a row of the table.
        limit_us: microseconds since the epoch.
        incomplete: those that never ended, too.
        also: further criteria that all of them meet.
        go_on: asked before each batch.

    Returns:
        How many documents went (without their dependants).
    """
    find = kind.incomplete if incomplete and kind.incomplete is not None else kind.older
    criteria = {**find(limit_us), **(also or {})}
    collection = store.database[kind.collection]
    total = 0
    while go_on():
        ids = [row["_id"] for row in collection.find(criteria, {"_id": 1}).limit(_BATCH)]
        if not ids:
            break
        for name, field in kind.dependants:
            store.database[name].delete_many({field: {"$in": [str(id) for id in ids]}})
        total += collection.delete_many({"_id": {"$in": ids}}).deleted_count
    return total
