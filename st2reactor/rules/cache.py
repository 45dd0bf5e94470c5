"""Rules, compiled once and indexed by trigger, kept until their revision moves."""

from __future__ import annotations

import threading
from typing import Any

from st2common.criteria import IndexedRule, RuleIndex, compile_criteria
from st2common.platform import Platform


class RuleCache:
    """Enabled rules by trigger reference. Only rules whose ``rev`` changed are read and compiled again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._revision: int | None = -1
        self._compiled: dict[Any, tuple[str, IndexedRule]] = {}
        self._by_trigger: dict[str, RuleIndex] = {}
        self._causes: dict[str, dict[str, dict[str, Any]]] = {}
        self._cause_revision: tuple[int | None, int | None] = (-1, -1)

    def refresh(self) -> None:
        """See what changed; one small read when nothing did."""
        revisions = self._platform.content.refresh()
        with self._lock:
            causes = (revisions.get("trigger"), revisions.get("trigger_type"))
            if causes != self._cause_revision:
                self._causes, self._cause_revision = {}, causes
            if revisions.get("rule") != self._revision:
                self._load()
                self._revision = revisions.get("rule")

    def index(self, trigger_ref: str) -> RuleIndex | None:
        """The compiled rules of a trigger, None when nobody listens."""
        return self._by_trigger.get(trigger_ref)

    def cause(self, trigger_ref: str) -> dict[str, dict[str, Any]] | None:
        """API forms of a trigger and its type (``trigger``, ``trigger_type``); None when the trigger is gone."""
        kept = self._causes.get(trigger_ref)
        if kept is None:
            store = self._platform.store
            trigger = store.triggers.by_ref(trigger_ref)
            if trigger is None:
                return None
            trigger_type = store.catalog.by_ref("trigger_type", trigger.type) if trigger.type else None
            kept = {"trigger": trigger.to_api(), "trigger_type": trigger_type.to_api() if trigger_type is not None else {}}
            self._causes[trigger_ref] = kept
        return kept

    def _load(self) -> None:
        catalog = self._platform.store.catalog
        present = {row["_id"]: row.get("rev", "") for row in catalog.collection("rule").find({"enabled": True}, ["rev"])}
        for id in [id for id in self._compiled if id not in present]:
            del self._compiled[id]
        changed = [id for id, rev in present.items() if id not in self._compiled or self._compiled[id][0] != rev]
        for start in range(0, len(changed), 500):
            for rule in catalog.find_all("rule", {"_id": {"$in": changed[start : start + 500]}}):
                backstop = (rule.type or {}).get("ref") == "backstop"
                compiled = IndexedRule(rule, compile_criteria(rule.criteria, rule.ref), backstop=backstop, enabled=rule.enabled)
                self._compiled[rule.id] = (rule.rev or "", compiled)
        by_trigger: dict[str, list[IndexedRule]] = {}
        for _, compiled in sorted(self._compiled.values(), key=lambda item: item[1].rule.id):
            by_trigger.setdefault(compiled.rule.trigger_ref, []).append(compiled)
        self._by_trigger = {ref: RuleIndex(rules) for ref, rules in by_trigger.items()}
