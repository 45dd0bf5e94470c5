"""What follows a change: tell listeners, and whoever is owed something when an execution ends.

Only what somebody asked for is sent: the notifier hears of an execution that has a notify block, a retry policy, or a rule on the
action trigger; a workflow hears of its child.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common import states
from st2common.bus import EVENTS, EXECUTIONS_FINISHED, WORKFLOW_INBOX, Bus
from st2common.clock import Clock
from st2common.config import Config
from st2common.content_cache import ContentCache
from st2common.execution.view import ExecutionView
from st2common.metrics import Metrics
from st2common.models.fields import unpack_json
from st2common.store import Store
from st2common.store.executions import OWED

ACTION_TRIGGER = "core.st2.generic.actiontrigger"


class Aftermath:
    """Sends what follows; used by every service that ends executions."""

    def __init__(self, store: Store, bus: Bus, content: ContentCache, view: ExecutionView, config: Config, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._bus = bus
        self._content = content
        self._view = view
        self._sensor = config.action_sensor
        self._clock = clock
        self._metrics = metrics

    def is_owed(self, document: Mapping[str, Any], status: str) -> bool:
        """Whether somebody waits for this execution's end: decided before it is stored, so that the debt is stored with it."""
        if document.get("notify"):
            return True
        self._content.refresh()
        if status in states.FAILURES and self._content.retry_policies(document["action_ref"]):
            return True
        if self._content.concurrency_policies(document["action_ref"]):
            return True
        return self.emits_trigger(status)

    def emits_trigger(self, status: str) -> bool:
        """Whether the action trigger is wanted for that status: switched on, and a rule listens."""
        return self._sensor.enable and status in self._sensor.emit_when and self._content.has_listener(ACTION_TRIGGER)

    def debt(self, document: Mapping[str, Any], status: str) -> tuple[dict[str, Any], str | None]:
        """(fields, link) to store together with the final status."""
        if not self.is_owed(document, status):
            return {}, None
        return {"after_us": self._clock.now_us()}, OWED

    def ended(self, document: Mapping[str, Any], *, owed: bool | None = None) -> None:
        """Tell everybody that an execution ended; ``document`` is as stored."""
        self._metrics.count(f"action.executions.{document['status']}")
        if document.get("after_us") if owed is None else owed:
            self.pay(document)
        elif owed is None and self.is_owed(document, document["status"]):
            self.pay(document)
        self.child_changed(document)
        self.changed(document)

    def child_changed(self, document: Mapping[str, Any]) -> None:
        """Tell the workflow of a child about the child's status. If the message is lost, the engine's sweeper finds the difference.

        A final status is told with the message and need not be read again; others may have changed by the time it arrives.
        """
        if not document.get("workflow_execution"):
            return
        message = {"workflow": document["workflow_execution"], "child": str(document["_id"])}
        if document["status"] in states.FINAL:
            message |= {"status": document["status"], "run": document.get("task_run"), "end_us": document.get("end_us")}
        self._bus.announce(WORKFLOW_INBOX, message)

    def pay(self, document: Mapping[str, Any]) -> None:
        """Send what is owed (again): to the notifier, which settles the debt when done."""
        self._bus.announce(EXECUTIONS_FINISHED, {"id": str(document["_id"])})

    def changed(self, document: Mapping[str, Any]) -> None:
        """Tell the event stream."""
        self._bus.announce(EVENTS, {"event": "st2.execution__update", **self._view.event(document)})

    def nudge_workflow(self, execution_id: str) -> None:
        """Have a workflow's engine look at its execution."""
        self._bus.announce(WORKFLOW_INBOX, {"id": execution_id})

    @staticmethod
    def context(document: Mapping[str, Any]) -> dict[str, Any]:
        """The execution's context."""
        return unpack_json(document.get("context"), {})
