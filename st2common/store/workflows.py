"""Workflow runs: loaded whole, saved by the step; a step that another engine overtook is refused by its revision."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from bson import ObjectId
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common import states
from st2common.clock import Clock
from st2common.models.fields import pack_json, pack_json_text, unpack_json, unpack_json_text
from st2common.models.workflow import WorkflowExecution, WorkflowPart
from st2common.store.inserts import insert_new

_LARGE = 8 * 1024
_OPTIONS = orjson.OPT_NON_STR_KEYS


@dataclass
class StoredWorkflow:
    """A workflow run as it was loaded or last saved.

    Attributes:
        id: the workflow execution's id.
        execution_id: the action execution that shows it (a rerun moves it to a new one).
        kind: "orquesta" or "action-chain".
        definition: hash of the definition's text in ``store.snapshots``.
        settings: what the engine needs besides (user, pack, notify...).
        rev: revision of the last step.
        parts: part name -> JSON data.
        todo: commands of the last step, until they are known to be carried out.
        records: run number (text) -> [start_us, end_us or None].
    """

    id: ObjectId
    execution_id: str
    kind: str
    status: str
    definition: str
    settings: dict[str, Any]
    rev: int = 0
    parts: dict[str, Any] = field(default_factory=dict)
    todo: list[Any] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    updated_us: int = 0
    stored: dict[str, Any] = field(default_factory=dict)
    """Database form of the plain fields as they were stored last: a step writes those that changed."""


class Workflows:
    """Named operations on workflow runs."""

    def __init__(self, database: Database[dict[str, Any]], clock: Clock) -> None:
        self.collection = database[WorkflowExecution.collection_name()]
        self._parts = database[WorkflowPart.collection_name()]
        self._clock = clock

    def create(self, workflow: StoredWorkflow) -> bool:
        """Store a new run with its first step. False when it is there already (the message came twice)."""
        now = self._clock.now_us()
        plain = _plain(workflow)
        document = {
            "_id": workflow.id, "kind": workflow.kind, "definition": workflow.definition, "rev": workflow.rev, "updated_us": now,
            "parts": self._references(workflow.id, workflow.parts), **plain,
        }  # fmt: skip
        try:
            self.collection.insert_one(document)
        except DuplicateKeyError:
            return False
        workflow.updated_us, workflow.stored = now, plain
        return True

    def get(self, id: str | ObjectId) -> StoredWorkflow | None:
        """The whole run."""
        document = self.collection.find_one({"_id": ObjectId(id)})
        if document is None:
            return None
        stored = document.get("parts", {})
        digests = [value for value in stored.values() if isinstance(value, str)]
        large = {row["_id"]: row["content"] for row in self._parts.find({"_id": {"$in": digests}})} if digests else {}
        parts = {
            name.replace(":", "."): orjson.loads(unpack_json_text(large[value] if isinstance(value, str) else value))
            for name, value in stored.items()
        }
        return StoredWorkflow(
            id=document["_id"], execution_id=document["execution_id"], kind=document["kind"], status=document["status"],
            definition=document["definition"], settings=unpack_json(document.get("settings"), {}), rev=document["rev"], parts=parts,
            todo=unpack_json(document.get("todo"), []), records=unpack_json(document.get("records"), {}), updated_us=document["updated_us"],
            stored={name: document.get(name) for name in _PLAIN},
        )  # fmt: skip

    def save(self, workflow: StoredWorkflow, changed: Mapping[str, Any]) -> bool:
        """Store one step: the changed parts (None deletes one), status, todo and records.

        Returns:
            False when another engine saved a step since this one was loaded; nothing is changed then.
        """
        now = self._clock.now_us()
        kept = {name: part for name, part in changed.items() if part is not None}
        plain = _plain(workflow)
        values: dict[str, Any] = {"updated_us": now, "rev": workflow.rev + 1}
        values |= {name: value for name, value in plain.items() if workflow.stored.get(name) != value}
        for name, value in self._references(workflow.id, kept).items():
            values[f"parts.{name}"] = value
        update: dict[str, Any] = {"$set": values}
        gone = [f"parts.{_key(name)}" for name, part in changed.items() if part is None]
        if gone:
            update["$unset"] = dict.fromkeys(gone, 1)
        if not self.collection.update_one({"_id": workflow.id, "rev": workflow.rev}, update).matched_count:
            return False
        workflow.rev += 1
        workflow.updated_us, workflow.stored = now, plain
        return True

    def revision(self, id: ObjectId) -> int | None:
        """Revision of the last step that was saved; None when there is no such run."""
        row = self.collection.find_one({"_id": id}, ["rev"])
        return row["rev"] if row else None

    def ended(self, execution_ids: Iterable[str]) -> dict[str, tuple[ObjectId, bool]]:
        """For executions that have a run: execution id -> (id of the run, whether the run ended)."""
        rows = self.collection.find({"execution_id": {"$in": list(execution_ids)}}, ["execution_id", "status"])
        return {row["execution_id"]: (row["_id"], row["status"] in states.FINAL) for row in rows}

    def by_execution(self, execution_id: str) -> ObjectId | None:
        """Id of the run that an action execution shows."""
        row = self.collection.find_one({"execution_id": execution_id}, ["_id"])
        return row["_id"] if row else None

    def idle(self, idle_s: float, after: ObjectId | None, limit: int) -> list[ObjectId]:
        """Runs that are not final and did nothing for that long, by id, from the one behind ``after`` on."""
        before = self._clock.now_us() - int(idle_s * 1_000_000)
        criteria: dict[str, Any] = {"status": {"$in": sorted(set(states.STATUSES) - states.FINAL)}, "updated_us": {"$lt": before}}
        rows = [row["_id"] for row in self.collection.find(criteria, ["_id"])]
        return heapq.nsmallest(limit, (id for id in rows if after is None or id > after))

    def _references(self, workflow_id: ObjectId, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Database form of parts; large ones are stored beside, before the step that names them."""
        found: dict[str, Any] = {}
        large = []
        for name, part in parts.items():
            text = orjson.dumps(part, option=_OPTIONS, default=str)
            if len(text) < _LARGE:
                found[_key(name)] = pack_json_text(text)
                continue
            digest = hashlib.sha256(workflow_id.binary + text).hexdigest()[:40]
            found[_key(name)] = digest
            large.append({"_id": digest, "workflow": str(workflow_id), "content": pack_json_text(text)})
        insert_new(self._parts, large)
        return found


_PLAIN = ("status", "execution_id", "todo", "records", "settings")


def _plain(workflow: StoredWorkflow) -> dict[str, Any]:
    """Database form of what is not a part and can change."""
    packed = {"todo": workflow.todo, "records": workflow.records, "settings": workflow.settings}
    return {"status": workflow.status, "execution_id": workflow.execution_id, **{name: pack_json(value) for name, value in packed.items()}}


def _key(name: str) -> str:
    return name.replace(".", ":")
