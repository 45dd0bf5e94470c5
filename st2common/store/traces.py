"""Traces, derived: every event, enforcement and execution carries the id of its trace, so a trace costs no write of its own.

The document that began a trace also carries its ``trace_tag``; that one is the trace's root and gives its start
(docs/decisions/003-derived-traces.md).
"""

from __future__ import annotations

import hashlib
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from st2common.clock import iso_us
from st2common.models import Execution, RuleEnforcement, TriggerInstance
from st2common.models.execution import ROOT, link
from st2common.models.fields import unpack_json
from st2common.store.query import Query, run

_EXECUTION_FIELDS = ["action_ref", "start_us", "parent", "rule_id", "trigger_instance_id", "trace_id", "trace_tag"]
_INSTANCE_FIELDS = ["trigger", "occurrence_time", "caused_by", "trace_id", "trace_tag"]


class Traces:
    """Reads of traces."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._executions = database[Execution.collection_name()]
        self._instances = database[TriggerInstance.collection_name()]
        self._enforcements = database[RuleEnforcement.collection_name()]

    def exists(self, trace_id: str) -> bool:
        """Whether anything belongs to that trace."""
        if self._executions.find_one({"links": link("trace", trace_id)}, {"_id": 1}) is not None:
            return True
        return self._instances.find_one({"trace_id": trace_id}, {"_id": 1}) is not None

    def get(self, trace_id: str) -> dict[str, Any] | None:
        """The API form of one trace, None when unknown."""
        return self._assemble([trace_id]).get(trace_id)

    def page(
        self, *, tag: str | None = None, execution: str | None = None, rule: str | None = None, trigger_instance: str | None = None,
        limit: int | None = 100, offset: int = 0, ascending: bool = False, by_tag: bool = False,
    ) -> tuple[list[dict[str, Any]], int]:  # fmt: skip
        """Traces newest (or oldest) first, or in the order of their tags; and the number of all matches."""
        ids = self._matching(execution, rule, trigger_instance)
        need = None if limit is None else offset + limit
        tagged: Any = tag if tag is not None else {"$exists": True}
        of_executions: dict[str, Any] = {"links": link("tag", tag) if tag is not None else ROOT}
        of_instances: dict[str, Any] = {"trace_tag": tagged}
        if ids is not None:
            of_executions = {"links": {"$in": [link("trace", id) for id in sorted(ids)]}, "trace_tag": tagged}
            of_instances["trace_id"] = {"$in": sorted(ids)}
        roots: list[tuple[Any, str]] = []
        total = 0
        for collection, moment, criteria in (
            (self._executions, "start_us", of_executions),
            (self._instances, "occurrence_time", of_instances),
        ):
            key = "trace_tag" if by_tag else moment
            page = run(collection, Query(criteria, [(key, 1 if ascending else -1)], need, projection=["trace_id", key]))
            total += page.total
            roots += [(row[key], row["trace_id"]) for row in page.documents]
        roots.sort(reverse=not ascending)
        chosen = [trace_id for _, trace_id in roots[offset : None if limit is None else offset + limit]]
        assembled = self._assemble(chosen)
        return [assembled[trace_id] for trace_id in chosen if trace_id in assembled], total

    def _matching(self, execution: str | None, rule: str | None, instance: str | None) -> set[str] | None:
        found: set[str] | None = None
        for collection, criteria in (
            (self._executions, {"_id": _object_id(execution)} if execution else None),
            (self._enforcements, {"rule_id": rule} if rule else None),
            (self._instances, {"_id": _object_id(instance)} if instance else None),
        ):
            if criteria is not None:
                ids = {row["trace_id"] for row in collection.find(criteria, {"trace_id": 1}) if row.get("trace_id")}
                found = ids if found is None else found & ids
        return found

    def _assemble(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        wanted = {"trace_id": {"$in": ids}}
        forms: dict[str, dict[str, Any]] = {}
        starts: dict[str, int] = {}

        def form(trace_id: str, moment: int, row: dict[str, Any]) -> dict[str, Any]:
            made = forms.setdefault(trace_id, _empty(trace_id))
            if row.get("trace_tag"):
                made["trace_tag"] = row["trace_tag"]
            starts[trace_id] = min(moment, starts.get(trace_id, moment))
            return made

        for row in self._instances.find(wanted, _INSTANCE_FIELDS):
            item = _component(row["_id"], row["trigger"], row["occurrence_time"], unpack_json(row.get("caused_by"), {}))
            form(row["trace_id"], row["occurrence_time"], row)["trigger_instances"].append(item)
        for row in self._enforcements.find({**wanted, "status": "succeeded"}):
            cause = {"type": "trigger_instance", "id": row["trigger_instance_id"]}
            form(row["trace_id"], row["enforced_at"], {})["rules"].append(_component(row["rule_id"], row["rule_ref"], row["enforced_at"], cause))
        for row in self._executions.find({"links": {"$in": [link("trace", id) for id in ids]}}, _EXECUTION_FIELDS):
            item = _component(row["_id"], row["action_ref"], row["start_us"], _cause(row))
            form(row["trace_id"], row["start_us"], row)["action_executions"].append(item)
        for trace_id, made in forms.items():
            made["start_timestamp"] = iso_us(starts[trace_id])
            for part in ("trigger_instances", "rules", "action_executions"):
                made[part].sort(key=lambda item: item["updated_at"])
        return forms


def _empty(trace_id: str) -> dict[str, Any]:
    digest = hashlib.md5(trace_id.encode(), usedforsecurity=False).hexdigest()
    return {"id": trace_id, "uid": f"trace:{digest}", "trace_tag": "", "start_timestamp": "",
            "action_executions": [], "rules": [], "trigger_instances": []}  # fmt: skip


def _component(id: Any, ref: str, moment_us: int, caused_by: dict[str, Any]) -> dict[str, Any]:
    return {"object_id": str(id), "ref": ref, "updated_at": iso_us(moment_us), "caused_by": caused_by}


def _cause(row: dict[str, Any]) -> dict[str, Any]:
    """reactor.md section 7: what caused an execution."""
    if row.get("rule_id"):
        return {"type": "rule", "id": f"{row['rule_id']}:{row.get('trigger_instance_id', '')}"}
    if row.get("parent"):
        return {"type": "action_execution", "id": row["parent"]}
    return {}


def _object_id(text: str) -> Any:
    return ObjectId(text) if ObjectId.is_valid(text) else text
