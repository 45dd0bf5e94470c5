"""Find runs that missed something, and tell them from what the database knows (architecture.md promise 2)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from st2actions.workflows.orquesta import OrquestaRun, finish
from st2actions.workflows.steps import CHAIN
from st2common import states
from st2common.bus import WORKFLOW_INBOX, WORKFLOW_WORK
from st2common.exceptions import Unavailable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.workflows import events

if TYPE_CHECKING:
    from st2actions.workflows.engine import WorkflowEngine

LOG = getLogger("st2actions.workflows.sweeper")
_LEASE = "sweeper:workflows"
_IDLE_S = 15.0


class Sweeper:
    """One engine at a time sweeps, by lease."""

    def __init__(self, platform: Platform, engine: WorkflowEngine, owner: str) -> None:
        self._platform = platform
        self._engine = engine
        self._owner = owner
        self._interval_s = float(platform.config.scheduler.gc_interval)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workflow-sweeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                if self._platform.store.leases.take(_LEASE, self._owner, self._interval_s * 3):
                    self.sweep()
            except (PyMongoError, Unavailable) as error:
                LOG.warning("sweep put off: %s", str(error)[:200])
            except Exception:
                LOG.exception("sweep failed")

    def sweep(self) -> None:
        """One look at every run that did nothing for a while, and at executions that should have a run and have none."""
        if self._platform.bus.depth(WORKFLOW_INBOX) or self._platform.bus.depth(WORKFLOW_WORK):
            return
        for row in self._platform.store.workflows.unfinished(_IDLE_S):
            self._engine.steps.forget(row["_id"])  # look at what is stored, and do what its last step left undone
            self._look(row)
        for row in self._platform.store.executions.in_status(states.RUNNING, ["is_workflow", "start_us"]):
            old = row.get("start_us", 0) < self._platform.clock.now_us() - int(_IDLE_S * 1e6)
            if row.get("is_workflow") and old and not self._platform.store.workflows.by_execution(str(row["_id"])):
                self._platform.bus.publish(WORKFLOW_WORK, {"id": str(row["_id"])})

    def _look(self, row: dict[str, Any]) -> None:
        execution = self._platform.store.executions.get(row["execution_id"])
        if execution is None:
            return
        run = self._engine.steps.load(row["_id"])
        children = self._platform.store.executions.of_workflow(row["_id"])
        told = [child["_id"] for child in children if child["status"] in (*states.FINAL, states.PENDING, states.PAUSED)]
        if told:
            self._engine.children_changed(row["_id"], told)
        if execution["status"] in (states.PAUSING, states.RESUMING, states.CANCELING, states.CANCELED):
            self._engine.request(row["execution_id"])
        run = self._engine.steps.load(row["_id"])
        if run is None or run.workflow.kind == CHAIN:
            return
        if execution["status"] not in states.FINAL and run.workflow.status in states.FINAL and isinstance(run, OrquestaRun):
            state = run.conductor.state
            result: dict[str, Any] = {"output": state.output}
            if run.workflow.status == states.FAILED:
                result["errors"] = list(state.errors)
            finish(self._platform, row["execution_id"], run.workflow.status, result)
        elif isinstance(run, OrquestaRun) and run.conductor.is_stuck:
            LOG.error("workflow %s hangs with nothing to do and is failed", row["_id"])
            reason = "The workflow had nothing left to do and did not end."
            self._engine.steps.orquesta(row["_id"], lambda _: [events.Failed(reason)])
