"""Child executions of a workflow run: requested under ids that follow from the run, so that asking twice makes one."""

from __future__ import annotations

from typing import Any

from bson import ObjectId

from st2common import states
from st2common.exceptions import CastError, Invalid, ParamError
from st2common.execution.control import NotCancelable
from st2common.execution.request import Request
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from st2common.refs import derived_id
from st2common.store.workflows import StoredWorkflow

_INHERITED = ("api_user", "source_channel")


def child_id(workflow: StoredWorkflow, run: int, item: int | None) -> ObjectId:
    """The id of the execution of a task run (of one item of it)."""
    return derived_id(workflow.id, "child", str(run), "" if item is None else str(item))


def task_execution_id(workflow: StoredWorkflow, run: int) -> str:
    """The id under which a task run is known to users."""
    return str(derived_id(workflow.id, "task", str(run)))


class Children:
    """Requests and controls children."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def request(
        self, workflow: StoredWorkflow, *, run: int, item: int | None, action: str, parameters: dict[str, Any], delay_ms: int,
        extra_context: dict[str, Any], notify: Any, task_execution: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Ask for one child execution.

        Raises:
            Invalid, ParamError, CastError: as any request; nothing hangs then.
        """
        settings = workflow.settings
        parent = {key: settings[key] for key in ("user", "pack", *_INHERITED) if settings.get(key)}
        context: dict[str, Any] = {
            "user": settings.get("user"), "pack": action.partition(".")[0], "parent": {"execution_id": workflow.execution_id, **parent},
            **{key: settings[key] for key in _INHERITED if settings.get(key)}, **extra_context,
        }  # fmt: skip
        return self._platform.requests.submit(
            Request(
                action=action, parameters=parameters, user=settings.get("user") or "", context=context, notify=notify, skip_notify=notify is None,
                delay_ms=delay_ms, id=child_id(workflow, run, item), parent=workflow.execution_id, workflow_execution=str(workflow.id),
                task_execution=task_execution, task_run=[run, item], trace_id=settings.get("trace_id"),
            )  # fmt: skip
        )

    def get(self, workflow: StoredWorkflow, run: int, item: int | None) -> dict[str, Any] | None:
        """The document of a child."""
        return self._platform.store.executions.get(child_id(workflow, run, item))

    def result(self, workflow: StoredWorkflow, run: int, item: int | None) -> Any:
        """The result of a child, None without one."""
        document = self._platform.store.executions.get(child_id(workflow, run, item), ["result"])
        return None if document is None else unpack_json(document.get("result"))

    def of_runs(self, workflow: StoredWorkflow, runs: set[int]) -> list[dict[str, Any]]:
        """Unfinished children of these runs."""
        rows = self._platform.store.executions.of_workflow(workflow.id)
        return [row for row in rows if row["status"] not in states.FINAL and row.get("task_run") and row["task_run"][0] in runs]

    def cascade(self, workflow: StoredWorkflow, request: str, runs: set[int]) -> None:
        """Pass a request down: to sub-workflows whatever they do; ``cancel`` also to children that have not started to run."""
        requester = workflow.settings.get("user") or ""
        control = self._platform.control
        for row in self.of_runs(workflow, runs):
            document = self._platform.store.executions.get(row["_id"])
            if document is None:
                continue
            at_rest = document["status"] in (states.REQUESTED, states.SCHEDULED, states.DELAYED)
            if not document.get("is_workflow") and not (request == "cancel" and at_rest):
                continue
            try:
                if request == "cancel":
                    control.cancel(document, requester)
                elif request == "pause":
                    control.pause(document, requester)
                else:
                    control.resume(document, requester)
            except (NotCancelable, Invalid):
                continue  # it ended, or was not running, between our look and our request: its own message tells us


def complaint(error: Exception) -> str:
    """How a refused request shows in the errors of a workflow (workflows.md section 5)."""
    if isinstance(error, CastError):
        return f"ValueError: {error}"
    if isinstance(error, ParamError):
        return f"ParamException: {error}"
    text = str(error)
    if text.startswith('Action "') and text.endswith("cannot be found."):
        return f"InvalidActionReferencedException: Unable to find action \"{text.split(chr(34))[1]}\"."
    return f"ValidationError: {getattr(error, 'long_text', None) or text}" if isinstance(error, Invalid) else f"{type(error).__name__}: {text}"
