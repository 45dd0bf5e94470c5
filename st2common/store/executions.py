"""Executions: the one writer of their state. Every change is a compare-and-set on the id that also appends to ``log``."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common import states
from st2common.clock import Clock
from st2common.models import Execution
from st2common.models.execution import ROOT, link
from st2common.models.fields import pack_json, pack_json_text, unpack_json_text
from st2common.store.decided import decided
from st2common.store.inserts import insert_new
from st2common.store.query import Page, Query, run
from st2common.store.recent import Recent

Document = dict[str, Any]

OWED = "owed"
"""Link of an ended execution whose aftermath is still to be done; pushed with ``after_us`` in the same change."""

_OWNED = frozenset({states.RUNNING, states.CANCELING, states.PAUSING, states.RESUMING})
_NEVER_CHANGE = frozenset({"action_ref", "runner_name", "parent", "user", "rule_name", "trigger_ref", "trigger_type"})
_MOST_RECENT = 50


@dataclass
class NewExecution:
    """What is asked for. ``status`` is where it starts: requested, scheduled (no policy, no delay), delayed, or failed.

    Attributes:
        id: made by the caller when the request must be idempotent (``refs.derived_id``).
        action_snapshot, runner_snapshot, rule_snapshot, ...: hashes from ``store.snapshots``.
        trace_id: the trace it belongs to; ``trace_tag`` only when it begins that trace.
        due_us: for delayed ones, when it may be scheduled.
    """

    action_ref: str
    runner_name: str
    action_snapshot: str
    runner_snapshot: str
    parameters: Mapping[str, Any]
    context: Mapping[str, Any]
    user: str
    trace_id: str
    status: str = states.REQUESTED
    id: ObjectId = field(default_factory=ObjectId)
    is_workflow: bool = False
    trace_tag: str | None = None
    notify: Mapping[str, Any] | None = None
    callback: Mapping[str, Any] | None = None
    delay_ms: int | None = None
    due_us: int | None = None
    result: Any = None
    parent: str | None = None
    workflow_execution: str | None = None
    task_execution: str | None = None
    task_run: list[int | None] | None = None
    rule_id: str | None = None
    rule_name: str | None = None
    rule_snapshot: str | None = None
    trigger_ref: str | None = None
    trigger_snapshot: str | None = None
    trigger_type: str | None = None
    trigger_type_snapshot: str | None = None
    trigger_instance_id: str | None = None
    trigger_instance: Mapping[str, Any] | None = None


class Executions:
    """Named operations on executions. All return raw documents (see ``models.Execution`` for the fields)."""

    def __init__(self, database: Database[Document], clock: Clock) -> None:
        self.collection = database[Execution.collection_name()]
        self._clock = clock
        self._recent: dict[str, Recent] = {}
        self._is_embedded: bool | None = None

    # -- accept ------------------------------------------------------------------------------------------------------

    def request(self, new: NewExecution) -> tuple[Document, bool]:
        """Insert an execution. Idempotent by ``new.id``: returns (document, created).

        Raises:
            OutcomeUnknown: the database went away in the middle.
        """
        now = self._clock.now_us()
        document = _document(new, now)
        try:
            decided(lambda: self.collection.insert_one(document))
        except DuplicateKeyError:
            return self.get(new.id) or document, False
        return document, True

    def take_back(self, document: Document) -> bool:
        """Delete an execution that could not be announced. False when it was taken all the same (its message did arrive)."""
        criteria = {"_id": document["_id"], "status": document["status"]}
        return self.collection.delete_one(criteria).deleted_count == 1

    def request_many(self, wanted: Sequence[NewExecution]) -> list[tuple[Document, bool]]:
        """The same for several at once, in one write; in the same order."""
        if len(wanted) == 1:
            return [self.request(wanted[0])]
        now = self._clock.now_us()
        documents = [_document(new, now) for new in wanted]
        there = decided(lambda: insert_new(self.collection, documents))
        return [
            ((self.get(document["_id"]) or document) if index in there else document, index not in there) for index, document in enumerate(documents)
        ]

    # -- read --------------------------------------------------------------------------------------------------------

    def get(self, id: str | ObjectId, fields: Iterable[str] | None = None) -> Document | None:
        """By id (valid 24 hex or ObjectId), with only ``fields`` when given."""
        return self.collection.find_one({"_id": ObjectId(id)}, list(fields) if fields else None)

    def newest(self) -> Document | None:
        """The execution requested last (``last`` in the API)."""
        known = self.recent(1, 0)
        if known is not None:
            found = self.get(known[0][0]) if known[0] else None
            if found is not None or not known[0]:
                return found
        page = run(self.collection, Query(sort=[("start_us", -1)], limit=1))
        return page.documents[0] if page.documents else None

    def by_token(self, token_hash: str) -> Document | None:
        """The running execution whose service token has that hash."""
        row = self.collection.find_one({"links": link("token", token_hash)}, ["user", "status", "action_ref"])
        return row if row is not None and row["status"] not in states.FINAL else None

    def children(self, parent: str | ObjectId, fields: Iterable[str] | None = None) -> list[Document]:
        """Direct children, by start."""
        rows = self.collection.find({"links": link("parent", parent)}, list(fields) if fields else None)
        return sorted(rows, key=lambda row: (row.get("start_us", 0), row["_id"]))

    def of_workflow(self, workflow_id: str | ObjectId) -> list[Document]:
        """Child executions of a workflow run (``status``, ``task_run``, ``is_workflow``)."""
        return list(self.collection.find({"links": link("workflow", workflow_id)}, ["status", "task_run", "is_workflow"]))

    def recent(self, limit: int, offset: int, criteria: Mapping[str, Any] | None = None) -> tuple[list[ObjectId], int] | None:
        """Ids of a page of the newest, and the number of all; None when the page must be read in the usual way (``Recent``).

        Args:
            criteria: only those that match.
        """
        if self._is_embedded is None:
            self._is_embedded = "secantusVersion" in self.collection.database.client.server_info()
        criteria = criteria or {}
        if not self._is_embedded or not all(name in _NEVER_CHANGE and isinstance(value, str | None) for name, value in criteria.items()):
            return None
        key = repr(sorted(criteria.items()))
        known = self._recent.get(key)
        if known is None:
            if len(self._recent) >= _MOST_RECENT:
                self._recent = {}
            known = self._recent.setdefault(key, Recent(self.collection, "start_us", criteria))
        return known.page(limit, offset)

    def forget(self, ids: set[ObjectId]) -> None:
        """These turned out to be gone."""
        for known in list(self._recent.values()):
            known.forget(ids)

    def child_ids(self, parents: Sequence[str]) -> dict[str, list[str]]:
        """Ids of direct children by parent, for many parents in one query."""
        found: dict[str, list[tuple[int, str]]] = {}
        for row in self.collection.find({"links": {"$in": [link("parent", id) for id in parents]}}, ["parent", "start_us"]):
            found.setdefault(row["parent"], []).append((row["start_us"], str(row["_id"])))
        return {parent: [id for _, id in sorted(rows)] for parent, rows in found.items()}

    def page(self, query: Query) -> Page:
        """One page of raw documents and the number of all matches."""
        return run(self.collection, query)

    def active(self, action_ref: str, fields: Iterable[str] = ("status",)) -> list[Document]:
        """Scheduled and running executions of an action (what concurrency policies count)."""
        statuses = sorted(states.ACTIVE)
        return list(self.collection.find({"action_ref": action_ref, "status": {"$in": statuses}}, [*fields, "start_us", "scheduled_us"]))

    def waiting(self, action_ref: str, limit: int, *, before_us: int | None = None) -> list[Document]:
        """Executions of an action that a policy holds back, in the order they were asked for (optionally only older ones)."""
        wanted = ["status", "start_us", "due_us", "parameters", "action_ref"]
        rows = self.collection.find({"action_ref": action_ref, "status": states.DELAYED}, wanted)
        held = (row for row in rows if "due_us" not in row and (before_us is None or row["start_us"] < before_us))
        return heapq.nsmallest(limit, held, key=lambda row: (row["start_us"], row["_id"]))

    def in_status(self, status: str, fields: Iterable[str], limit: int = 1000) -> list[Document]:
        """Executions in a status, with only a few fields."""
        return list(self.collection.find({"status": status}, list(fields)).limit(limit))

    def open_workflows(self, older_than_s: float, fields: Iterable[str]) -> list[Document]:
        """Executions of workflows that are under way or paused and were requested longer ago than that."""
        before = self._clock.now_us() - int(older_than_s * 1_000_000)
        statuses = sorted(_OWNED | {states.PAUSED})
        return list(self.collection.find({"status": {"$in": statuses}, "is_workflow": True, "start_us": {"$lt": before}}, list(fields)))

    # -- change ------------------------------------------------------------------------------------------------------

    def transition(
        self, id: str | ObjectId, to: str, *, sources: Sequence[str] | None = None, owner: str | None = None,
        fields: Mapping[str, Any] | None = None, unset: Iterable[str] = (), via: Sequence[str] = (), new_link: str | None = None,
    ) -> bool:  # fmt: skip
        """Change the status if it is one of ``sources`` (default: whatever the table of transitions allows).

        Args:
            owner: only if that worker owns it.
            fields: stored fields to set in the same change (already in database form, see ``packed``).
            unset: stored fields to remove.
            via: statuses to log before ``to``, when one change stands for several steps.
            new_link: an entry to add to ``links``.

        Returns:
            False when nothing changed: another status, another owner, or gone.
        """
        allowed = list(sources) if sources is not None else states.sources(to)
        criteria: Document = {"_id": ObjectId(id), "status": {"$in": allowed} if len(allowed) != 1 else allowed[0]}
        if owner is not None:
            criteria["owner"] = owner
        now = self._clock.now_us()
        update: Document = {"$set": {"status": to, **(fields or {})}, "$push": {"log": {"$each": [[now, status] for status in (*via, to)]}}}
        if to in states.FINAL:
            update["$set"].setdefault("end_us", now)
            unset = {*unset, "owner"}
        if unset:
            update["$unset"] = dict.fromkeys(unset, 1)
        if new_link:
            update["$push"]["links"] = new_link
        return self.collection.update_one(criteria, update).modified_count == 1

    def claim(self, id: str | ObjectId, owner: str, runner_info: Mapping[str, Any], token_hash: str | None) -> Document | None:
        """Take a scheduled execution for a worker. Returns the document, None when somebody else has it or it was cancelled."""
        fields: Document = {"owner": owner, "runner_info": pack_json(dict(runner_info))}
        token = link("token", token_hash) if token_hash else None
        if not self.transition(id, states.RUNNING, sources=[states.SCHEDULED], fields=fields, new_link=token):
            return None
        return self.get(id)

    def claim_many(self, tokens: Mapping[str, str], owner: str, runner_info: Mapping[str, Any]) -> list[Document]:
        """Take scheduled executions (id -> token hash) for a worker in one write and one read.

        Returns:
            Those that ``owner`` runs now, also by an earlier claim whose answer it never got. The token must be the same each time.
        """
        now = self._clock.now_us()
        ids = {ObjectId(id): token for id, token in tokens.items()}
        fields: Document = {"status": states.RUNNING, "owner": owner, "runner_info": pack_json(dict(runner_info))}
        changes = [
            UpdateOne(
                {"_id": id, "status": states.SCHEDULED},
                {"$set": fields, "$push": {"log": [now, states.RUNNING], "links": link("token", token)}},
            )
            for id, token in ids.items()
        ]
        self.collection.bulk_write(changes, ordered=False)
        rows = self.collection.find({"_id": {"$in": list(ids)}})  # by id alone: more in the filter costs the embedded database more than it spares
        return [row for row in rows if row["status"] == states.RUNNING and row.get("owner") == owner]

    def set_fields(self, id: str | ObjectId, fields: Mapping[str, Any], *, unless_final: bool = True) -> bool:
        """Set stored fields without a change of status (a context note, a partial result)."""
        criteria: Document = {"_id": ObjectId(id)}
        if unless_final:
            criteria["status"] = {"$nin": sorted(states.FINAL)}
        return self.collection.update_one(criteria, {"$set": dict(fields)}).matched_count == 1

    def settle(self, id: str | ObjectId) -> bool:
        """What was owed after the end (notifications, parent) is done."""
        change = {"$unset": {"after_us": 1}, "$pull": {"links": OWED}}
        return self.collection.update_one({"_id": ObjectId(id)}, change).modified_count == 1

    def delete(self, id: str | ObjectId) -> bool:
        """Remove for good. False when unknown."""
        return self.collection.delete_one({"_id": ObjectId(id)}).deleted_count == 1

    # -- sweeping ----------------------------------------------------------------------------------------------------

    def due(self, now_us: int, limit: int = 200) -> list[Document]:
        """Delayed executions whose time has come."""
        rows = self.collection.find({"status": states.DELAYED, "start_us": {"$gt": 0}}, ["due_us", "action_ref", "start_us"])
        ready = [row for row in rows if row.get("due_us", 0) <= now_us]
        return sorted(ready, key=lambda row: (row.get("due_us", 0), row["start_us"]))[:limit]

    def unannounced(self, status: str, older_than_s: float, limit: int = 200) -> list[Document]:
        """Executions that sit in ``status`` longer than that without having been announced since."""
        before = self._clock.now_us() - int(older_than_s * 1_000_000)
        rows = self.collection.find({"status": status, "start_us": {"$lt": before}}, ["announced_us", "start_us", "action_ref"]).limit(limit * 5)
        return [row for row in rows if row.get("announced_us", 0) < before][:limit]

    def mark_announced(self, ids: Sequence[ObjectId]) -> None:
        """Remember that these were said again."""
        self.collection.update_many({"_id": {"$in": list(ids)}}, {"$set": {"announced_us": self._clock.now_us()}})

    def owned(self, owner: str | None = None) -> list[Document]:
        """What workers (or one worker) own: running, cancelling, pausing or resuming. Only a few fields."""
        rows = self.collection.find({"status": {"$in": sorted(_OWNED)}}, ["owner", "status", "action_ref", "parent", "start_us"])
        return [row for row in rows if row.get("owner") and (owner is None or row["owner"] == owner)]

    def owed(self, older_than_s: float, limit: int = 200) -> list[Document]:
        """Ended executions whose aftermath is still owed after that time."""
        before = self._clock.now_us() - int(older_than_s * 1_000_000)
        rows = self.collection.find({"links": OWED}).limit(limit)
        return [row for row in rows if row.get("after_us", 0) < before]


def packed(*, result: Any = ..., result_text: bytes | None = None, context: Any = ..., parameters: Any = ..., output: Any = ...) -> Document:
    """Database form of the JSON parts to set. ``result_text`` is JSON text that was made already; its size is recorded."""
    fields: Document = {}
    if result_text is not None:
        fields.update(result=pack_json_text(result_text), result_size=len(result_text))
    elif result is not ...:
        data = pack_json(result)
        fields.update(result=data, result_size=len(unpack_json_text(data)))
    if context is not ...:
        fields["context"] = pack_json(context)
    if parameters is not ...:
        fields["parameters"] = pack_json(parameters)
    if output is not ...:
        fields["output"] = output
    return fields


_PLAIN = (
    "action_ref", "runner_name", "action_snapshot", "runner_snapshot", "user", "trace_id", "trace_tag", "due_us", "parent",
    "workflow_execution", "task_execution", "task_run", "rule_id", "rule_name", "rule_snapshot", "trigger_ref", "trigger_snapshot", "trigger_type",
    "trigger_type_snapshot", "trigger_instance_id",
)  # fmt: skip
_JSON = ("notify", "callback", "trigger_instance")


def _document(new: NewExecution, now: int) -> Document:
    log = [[now, states.REQUESTED]]
    if new.status != states.REQUESTED:
        log.append([now, new.status])
    document: Document = {
        "_id": new.id, "status": new.status, "start_us": now, "log": log, "links": _links(new),
        "parameters": pack_json(dict(new.parameters)), "context": pack_json(dict(new.context)),
    }  # fmt: skip
    for name in _PLAIN:
        value = getattr(new, name)
        if value is not None:
            document[name] = value
    for name in _JSON:
        value = getattr(new, name)
        if value:
            document[name] = pack_json(dict(value))
    if new.is_workflow:
        document["is_workflow"] = True
    if new.delay_ms:
        document["delay"] = new.delay_ms
    if new.result is not None:
        document["result"] = pack_json(new.result)
    if new.status in states.FINAL:
        document["end_us"] = now
    return document


def _links(new: NewExecution) -> list[str]:
    links = [link("trace", new.trace_id)]
    if new.trace_tag is not None:
        links += [ROOT, link("tag", new.trace_tag)]
    for kind, value in (("parent", new.parent), ("rule", new.rule_id), ("instance", new.trigger_instance_id),
                        ("workflow", new.workflow_execution)):  # fmt: skip
        if value:
            links.append(link(kind, value))
    return links
