"""Content resources: actions, rules, packs, and the rest that registration and the API write. One set of operations for all."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from mongoengine.errors import ValidationError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from st2common import models
from st2common.exceptions import Conflict, Invalid
from st2common.refs import is_object_id
from st2common.store.coordination import Revisions
from st2common.store.query import Page, Query, run

KINDS: dict[str, type[models.Resource]] = {
    "pack": models.Pack,
    "config_schema": models.ConfigSchema,
    "config": models.PackConfig,
    "runner_type": models.RunnerType,
    "action": models.Action,
    "alias": models.ActionAlias,
    "sensor": models.SensorType,
    "policy_type": models.PolicyType,
    "policy": models.Policy,
    "rule": models.Rule,
    "rule_type": models.RuleType,
    "trigger_type": models.TriggerType,
    "trigger": models.Trigger,
}
"""Kind -> document class. Kinds are also the names of the revision counters."""

_NATURAL: dict[str, tuple[str, ...]] = {
    "pack": ("ref",), "config_schema": ("pack",), "config": ("pack",), "runner_type": ("name",), "rule_type": ("name",),
    "policy_type": ("resource_type", "name"),
}  # fmt: skip
"""Unique fields of the kinds that are not (pack, name)."""


class Catalog:
    """Operations over every kind in ``KINDS``. Every write bumps the kind's revision before it returns."""

    def __init__(self, database: Database[dict[str, Any]], revisions: Revisions) -> None:
        self._database = database
        self._revisions = revisions

    def collection(self, kind: str) -> Any:
        """The pymongo collection of ``kind``."""
        return self._database[KINDS[kind].collection_name()]

    # -- reading -----------------------------------------------------------------------------------------------------

    def by_id(self, kind: str, id: Any) -> Any | None:
        """The document with that id (text or ObjectId), None for an unknown or malformed id."""
        if isinstance(id, str):
            if not is_object_id(id):
                return None
            id = ObjectId(id)
        return self.find(kind, {"_id": id})

    def by_ref(self, kind: str, ref: str) -> Any | None:
        """The document with that ref: ``pack.name`` for pack resources, else its natural key."""
        natural = _NATURAL.get(kind)
        if natural and len(natural) == 1:
            return self.find(kind, {natural[0]: ref})
        first, dot, rest = ref.partition(".")
        if not dot:
            return None
        keys = natural or ("pack", "name")
        return self.find(kind, {keys[0]: first, keys[1]: rest})

    def by_ref_or_id(self, kind: str, ref_or_id: str) -> Any | None:
        """By ref when the text holds a dot (or is no id), else by id (api.md 2.6)."""
        if "." in ref_or_id or not is_object_id(ref_or_id):
            return self.by_ref(kind, ref_or_id)
        return self.by_id(kind, ref_or_id)

    def find(self, kind: str, criteria: Mapping[str, Any]) -> Any | None:
        """The first document that matches."""
        document = self.collection(kind).find_one(criteria)
        return None if document is None else KINDS[kind].from_mongo(document)

    def find_all(self, kind: str, criteria: Mapping[str, Any] | None = None) -> list[Any]:
        """Every match, ordered by ref."""
        rows = self.collection(kind).find(dict(criteria or {}))
        model = KINDS[kind]
        found = [model.from_mongo(row) for row in rows]
        return sorted(found, key=lambda item: getattr(item, "ref", None) or getattr(item, "name", None) or str(getattr(item, "pack", "")))

    def page(self, kind: str, query: Query) -> tuple[list[Any], int]:
        """One page as documents, and the number of all matches."""
        page: Page = run(self.collection(kind), query)
        model = KINDS[kind]
        return [model.from_mongo(row) for row in page.documents], page.total

    # -- writing -----------------------------------------------------------------------------------------------------

    def build(self, kind: str, values: Mapping[str, Any], id: Any = None) -> Any:
        """A document from API-form values (unknown and derived keys are ignored), validated.

        Raises:
            Invalid: a field has the wrong type or is missing.
        """
        model = KINDS[kind]
        fields = {key: value for key, value in values.items() if key in model._fields and key != "id"}
        document = model(**fields)
        document.id = ObjectId(id) if id else ObjectId()
        _derive(kind, document)
        try:
            document.validate()
        except ValidationError as error:
            raise Invalid(str(error)) from error
        return document

    def insert(self, kind: str, values: Mapping[str, Any], id: Any = None) -> Any:
        """Add a new document.

        Raises:
            Conflict: its unique name is taken; ``conflict_id`` is the holder's id.
        """
        document = self.build(kind, values, id)
        try:
            self.collection(kind).insert_one(document.to_mongo())
        except DuplicateKeyError as error:
            holder = self.find(kind, self._natural_key(kind, document))
            raise Conflict(
                f"Tried to save duplicate unique keys ({error.details.get('errmsg', '') if error.details else error})",
                str(holder.id) if holder else None,
            ) from error
        self._revisions.bump(kind)
        return document

    def replace(self, kind: str, id: Any, values: Mapping[str, Any]) -> Any | None:
        """Put new values in place of the document with that id, keeping the id. None when it is gone."""
        document = self.build(kind, values, id)
        try:
            matched = self.collection(kind).replace_one({"_id": document.id}, document.to_mongo()).matched_count
        except DuplicateKeyError as error:
            holder = self.find(kind, self._natural_key(kind, document))
            raise Conflict("Tried to save duplicate unique keys", str(holder.id) if holder else None) from error
        self._revisions.bump(kind)
        return document if matched else None

    def upsert(self, kind: str, values: Mapping[str, Any], *, by: Mapping[str, Any] | None = None) -> tuple[Any, bool]:
        """Replace the document with the same natural key (or matching ``by``), else add it. Returns (document, created)."""
        probe = self.build(kind, values)
        present = self.collection(kind).find_one(by or self._natural_key(kind, probe), {"_id": 1})
        if present is None:
            try:
                return self.insert(kind, values), True
            except Conflict:
                present = self.collection(kind).find_one(self._natural_key(kind, probe), {"_id": 1})
                if present is None:
                    raise
        document = self.replace(kind, present["_id"], values)
        return (document, False) if document is not None else (self.insert(kind, values), True)

    def set_fields(self, kind: str, id: Any, values: Mapping[str, Any]) -> bool:
        """Change single plain fields (``enabled``) atomically. False when it is gone."""
        change = dict(values)
        if kind == "rule":
            change["rev"] = uuid.uuid4().hex
        done = self.collection(kind).update_one({"_id": ObjectId(id)}, {"$set": change}).matched_count == 1
        self._revisions.bump(kind)
        return done

    def delete(self, kind: str, id: Any) -> bool:
        """Remove by id. False when it is gone."""
        done = self.collection(kind).delete_one({"_id": ObjectId(id)}).deleted_count == 1
        self._revisions.bump(kind)
        return done

    def _natural_key(self, kind: str, document: Any) -> dict[str, Any]:
        return {name: getattr(document, name) for name in _NATURAL.get(kind, ("pack", "name"))}


def _derive(kind: str, document: Any) -> None:
    """Fill the private fields that lists filter by."""
    if kind == "rule":
        document.trigger_ref = (document.trigger or {}).get("ref")
        document.action_ref = (document.action or {}).get("ref")
        document.rev = uuid.uuid4().hex
    elif kind == "action":
        document.tags_index = [str(tag.get("name")) for tag in document.tags or [] if isinstance(tag, dict)]
