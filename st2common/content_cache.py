"""Actions, runner types and policies by reference, kept in memory until their revision moves.

One small read per use tells whether anything changed, so a process sees every change that was answered before it asked
(``store.coordination.Revisions``), and the hot path reads no content from the database.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from st2common.exceptions import NotFound
from st2common.shared_read import SharedRead
from st2common.store import Store

WORKFLOW_RUNNERS = frozenset({"orquesta", "orchestra", "action-chain"})
"""Runner types whose actions are workflows (execution.md section 1)."""

_CONCURRENCY = ("action.concurrency", "action.concurrency.attr")
_RETRY = "action.retry"


@dataclass(frozen=True)
class LoadedAction:
    """An action with its runner type, as documents for the API and as hashes of their snapshots."""

    ref: str
    action: dict[str, Any]
    runner: dict[str, Any]
    action_snapshot: str
    runner_snapshot: str

    @property
    def is_workflow(self) -> bool:
        """Whether its runner is orquesta or action-chain."""
        return self.runner["name"] in WORKFLOW_RUNNERS


class ContentCache:
    """A process's view of the content. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._reading = SharedRead(self._look)
        self._revisions: dict[str, int] = {}
        self._actions: dict[str, LoadedAction] = {}
        self._policies: dict[str, list[Any]] | None = None
        self._listened: frozenset[str] | None = None

    def refresh(self) -> dict[str, int]:
        """Forget what changed since the last look. Returns the revision counters."""
        return self._reading.get()

    def _look(self) -> dict[str, int]:
        now = self._store.revisions.read()
        self._forget_changed(now)
        return now

    def _forget_changed(self, now: dict[str, int]) -> None:
        with self._lock:
            changed = {kind for kind, value in now.items() if self._revisions.get(kind) != value}
            if changed & {"action", "runner_type"}:
                self._actions = {}
            if "policy" in changed:
                self._policies = None
            if "rule" in changed:
                self._listened = None
            self._revisions = now

    def action(self, ref: str) -> LoadedAction | None:
        """The action ``pack.name`` with its runner type; None when there is no such action.

        Call ``refresh`` first in the same piece of work.

        Raises:
            NotFound: the action's runner type is gone.
        """
        kept = self._actions.get(ref)
        if kept is not None:
            return kept
        with self._lock:
            generation = self._actions
        action = self._store.catalog.by_ref("action", ref)
        if action is None:
            return None
        runner = self._store.catalog.by_ref("runner_type", action.runner_type)
        if runner is None:
            raise NotFound(f'Runner type "{action.runner_type}" of action "{ref}" is not registered')
        action_form, runner_form = action.to_api(), runner.to_api()
        loaded = LoadedAction(
            ref=ref, action=action_form, runner=runner_form,
            action_snapshot=self._store.snapshots.put("action", action_form), runner_snapshot=self._store.snapshots.put("runner_type", runner_form),
        )  # fmt: skip
        generation[ref] = loaded
        return loaded

    def policies(self, action_ref: str) -> list[Any]:
        """Enabled policies of an action, by ref."""
        found = self._policies
        if found is None:
            found = {}
            for policy in self._store.catalog.find_all("policy", {"enabled": True}):
                found.setdefault(policy.resource_ref, []).append(policy)
            with self._lock:
                self._policies = found
        return found.get(action_ref, [])

    def concurrency_policies(self, action_ref: str) -> list[Any]:
        """Enabled policies that may hold an execution back."""
        return [policy for policy in self.policies(action_ref) if policy.policy_type in _CONCURRENCY]

    def retry_policies(self, action_ref: str) -> list[Any]:
        """Enabled policies that may run it again."""
        return [policy for policy in self.policies(action_ref) if policy.policy_type == _RETRY]

    def has_listener(self, trigger_ref: str) -> bool:
        """Whether an enabled rule waits for that trigger."""
        found = self._listened
        if found is None:
            rows = self._store.catalog.collection("rule").find({"enabled": True}, {"trigger_ref": 1})
            found = frozenset(row["trigger_ref"] for row in rows if row.get("trigger_ref"))
            with self._lock:
                self._listened = found
        return trigger_ref in found
