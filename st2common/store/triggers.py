"""Triggers: made when rules need them, shared by equal parameters, gone with the last rule (reactor.md section 1)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from st2common.exceptions import Invalid
from st2common.refs import parameters_digest, split_ref
from st2common.store.catalog import Catalog

WEBHOOK = "core.st2.webhook"


class Triggers:
    """Look-ups and reference counts of triggers."""

    def __init__(self, database: Database[dict[str, Any]], catalog: Catalog) -> None:
        self._collection = database["triggers"]
        self._catalog = catalog

    def by_ref(self, ref: str) -> Any | None:
        """The trigger ``pack.name``."""
        return self._catalog.by_ref("trigger", ref)

    def by_type(self, type_ref: str) -> list[Any]:
        """Triggers of a trigger type."""
        return self._catalog.find_all("trigger", {"type": type_ref})

    def by_parameters(self, type_ref: str, parameters: Mapping[str, Any]) -> Any | None:
        """The trigger of that type with equal parameters."""
        return self._catalog.find("trigger", {"type": type_ref, "digest": parameters_digest(dict(parameters))})

    def by_hook(self, url: str) -> list[Any]:
        """Triggers of the webhook ``url`` (without slashes at the ends)."""
        return self._catalog.find_all("trigger", {"hook": url})

    def resolve(self, trigger: str | Mapping[str, Any]) -> Any | None:
        """What a dispatcher named: a ref, or an object with ``id``, ``uid`` or ``type`` and ``parameters``."""
        if isinstance(trigger, str):
            return self.by_ref(trigger)
        if trigger.get("id"):
            found = self._catalog.by_id("trigger", trigger["id"])
            if found is not None:
                return found
        if trigger.get("uid"):
            parts = str(trigger["uid"]).split(":")
            if len(parts) == 4:
                return self._catalog.find("trigger", {"pack": parts[1], "name": parts[2]})
        if trigger.get("type"):
            return self.by_parameters(trigger["type"], trigger.get("parameters") or {})
        return None

    def ensure_shadow(self, trigger_type: Any) -> Any:
        """The trigger of the same name that a trigger type without parameters has."""
        values = {"name": trigger_type.name, "pack": trigger_type.pack, "type": trigger_type.ref, "parameters": {},
                  "digest": parameters_digest({}), "shadow": True}  # fmt: skip
        present = self._catalog.find("trigger", {"pack": trigger_type.pack, "name": trigger_type.name})
        return present if present is not None else self._catalog.upsert("trigger", values)[0]

    def for_rule(self, type_ref: str, parameters: Mapping[str, Any], description: str | None = None) -> Any:
        """The trigger for a rule, made if needed; a parameterised one counts one more reference.

        Raises:
            Invalid: the type has no trigger of its own and no parameters are given (reactor.md section 1).
        """
        if not parameters:
            found = self.by_ref(type_ref)
            if found is None:
                raise Invalid(f'Trigger "{type_ref}" defined in the rule does not exist in system or it\'s missing required "parameters" attribute')
            return found
        found = self.by_parameters(type_ref, parameters)
        if found is None:
            found = self._create(type_ref, parameters, description)
        self._collection.update_one({"_id": found.id}, {"$inc": {"ref_count": 1}})
        return found

    def release(self, trigger_ref: str | None) -> Any | None:
        """A rule no longer needs its trigger. Returns the trigger if that was the last one and it is deleted."""
        found = self.by_ref(trigger_ref) if trigger_ref else None
        if found is None or found.shadow or not found.parameters:
            return None
        self._collection.update_one({"_id": found.id}, {"$inc": {"ref_count": -1}})
        if self._collection.delete_one({"_id": found.id, "ref_count": {"$lte": 0}}).deleted_count:
            self._catalog._revisions.bump("trigger")
            return found
        return None

    def _create(self, type_ref: str, parameters: Mapping[str, Any], description: str | None) -> Any:
        try:
            pack, _ = split_ref(type_ref)
        except ValueError as error:
            raise Invalid(str(error)) from error
        values = self.values(type_ref, parameters)
        return self._catalog.insert("trigger", {**values, "name": str(uuid.uuid4()), "pack": pack, "description": description})

    @staticmethod
    def values(type_ref: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Fields that follow from type and parameters."""
        values: dict[str, Any] = {"type": type_ref, "parameters": dict(parameters), "digest": parameters_digest(dict(parameters))}
        if type_ref == WEBHOOK:
            values["hook"] = str(parameters.get("url", "")).strip("/")
        return values

    def delete(self, id: ObjectId) -> bool:
        """Remove a trigger by id."""
        return self._catalog.delete("trigger", id)
