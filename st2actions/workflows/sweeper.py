"""Find runs that missed something, and tell them from what the database knows (architecture.md promise 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import ObjectId

from st2actions.workflows.chains import ChainDriver
from st2common import states
from st2common.bus import WORKFLOW_INBOX, WORKFLOW_WORK
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.sweeping import LeasedLoop, Patience
from st2common.workflows import events

if TYPE_CHECKING:
    from st2actions.workflows.engine import WorkflowEngine

LOG = getLogger("st2actions.workflows.sweeper")
_LEASE = "sweeper:workflows"
_NEWS = (*states.FINAL, states.PENDING, states.PAUSED, states.RUNNING)
_AT_ONCE = 200
STUCK = "The workflow had nothing left to do and did not end."


class Sweeper:
    """Looks at every run that did nothing for a while; one engine at a time, by lease."""

    def __init__(self, platform: Platform, engine: WorkflowEngine, owner: str) -> None:
        self._platform = platform
        self._engine = engine
        self._idle_s = float(platform.config.workflow_engine.sweep_idle_sec)
        self._loop = LeasedLoop(platform, _LEASE, owner, float(platform.config.scheduler.gc_interval), self.sweep)
        self._patience = Patience(platform.bus, WORKFLOW_INBOX, WORKFLOW_WORK)
        self._last: ObjectId | None = None

    def start(self) -> None:
        """Begin."""
        self._loop.start()

    def stop(self) -> None:
        """End."""
        self._loop.stop()

    def sweep(self) -> None:
        """One look."""
        if self._patience.wait():
            return
        found = self._platform.store.workflows.idle(self._idle_s, self._last, _AT_ONCE)
        self._last = found[-1] if len(found) == _AT_ONCE else None  # many may wait for people: each round looks at the next ones
        for id in found:
            self._engine.guarded(id, lambda id=id: self._look(id))  # type: ignore[misc]
        self._look_at_executions()

    def _look(self, id: ObjectId) -> None:
        """Tell a run what its children and its execution say, after what its last step left undone."""
        with self._engine.steps.lock(id):
            run = self._engine.steps.load(id, anew=True)
            if run is None:
                return
            children = self._engine.steps.children.all(run.workflow)
            told = [{"child": str(child["_id"])} for child in children if self._may_be_news(run, child)]
            if told:
                self._engine.children_changed(id, told)
            self._engine.request(run.workflow.execution_id)
            run = self._engine.steps.load(id)
            if run is not None and not isinstance(run, ChainDriver) and run.conductor.is_stuck:
                LOG.error("workflow %s has nothing left to do and is failed", id)
                self._engine.steps.orquesta(id, lambda run: [events.Failed(STUCK)] if run.conductor.is_stuck else [])

    @staticmethod
    def _may_be_news(run: Any, child: dict[str, Any]) -> bool:
        number, item = child.get("task_run") or (None, None)
        if number is None or child["status"] not in _NEWS:
            return False
        return number == run.number if isinstance(run, ChainDriver) else not run.knows(number, item, child["status"])

    def _look_at_executions(self) -> None:
        """Executions of workflows that have no run yet, or whose run ended without them."""
        rows = self._platform.store.executions.open_workflows(self._idle_s, ["status"])
        runs = self._platform.store.workflows.ended(str(row["_id"]) for row in rows)
        for row in rows:
            id, has_ended = runs.get(str(row["_id"]), (None, False))
            if id is None:
                LOG.warning("workflow execution %s has no run; it is announced again", row["_id"])
                self._platform.bus.publish(WORKFLOW_WORK, {"id": str(row["_id"])})
            elif has_ended:
                self._engine.guarded(id, lambda id=id: self._load(id))  # type: ignore[misc]

    def _load(self, id: ObjectId) -> None:
        """Loading a run does what its last step left undone: here, to give its execution the end."""
        with self._engine.steps.lock(id):
            self._engine.steps.load(id, anew=True)
