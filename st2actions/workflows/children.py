"""Child executions of a workflow run: requested under ids that follow from the run, so that asking twice makes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bson import ObjectId

from st2common import states
from st2common.exceptions import CastError, Invalid, ParamError, St2Error
from st2common.execution.control import NotCancelable
from st2common.execution.request import Request
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from st2common.refs import derived_id
from st2common.store.workflows import StoredWorkflow

_INHERITED = ("api_user", "source_channel")
_AT_REST = (states.REQUESTED, states.SCHEDULED, states.DELAYED)


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

    def request(self, requests: Sequence[Request]) -> tuple[int, St2Error | None]:
        """Ask for children, in order up to the first that is refused: how many were accepted, and why it was."""
        documents, problem = self._platform.requests.submit_many(requests)
        return len(documents), problem

    def form(
        self, workflow: StoredWorkflow, *, run: int, item: int | None, action: str, parameters: Mapping[str, Any], delay_ms: int,
        extra_context: Mapping[str, Any], notify: Any, task_execution: str | None,
    ) -> Request:  # fmt: skip
        """The request for one child."""
        settings = workflow.settings
        inherited = {key: settings[key] for key in _INHERITED if settings.get(key)}
        known = {key: settings[key] for key in ("user", "pack") if settings.get(key)}
        context: dict[str, Any] = {
            "user": settings.get("user"), "pack": action.partition(".")[0],
            "parent": {"execution_id": workflow.execution_id, **known, **inherited}, **inherited, **extra_context,
        }  # fmt: skip
        return Request(
            action=action, parameters=parameters, user=settings.get("user") or "", context=context, notify=notify, skip_notify=notify is None,
            delay_ms=delay_ms, id=child_id(workflow, run, item), parent=workflow.execution_id, workflow_execution=str(workflow.id),
            task_execution=task_execution, task_run=[run, item], trace_id=settings.get("trace_id"),
        )  # fmt: skip

    def status(self, workflow: StoredWorkflow, run: int, item: int | None) -> str | None:
        """The status of a child; None when it was not requested."""
        document = self._platform.store.executions.get(child_id(workflow, run, item), ["status"])
        return None if document is None else str(document["status"])

    def result(self, workflow: StoredWorkflow, run: int, item: int | None) -> Any:
        """The result of a child, None without one."""
        document = self._platform.store.executions.get(child_id(workflow, run, item), ["result"])
        return None if document is None else unpack_json(document.get("result"))

    def results(self, workflow: StoredWorkflow, run: int, items: Sequence[int]) -> dict[int, Any]:
        """The results of items, read together."""
        ids = {child_id(workflow, run, item): item for item in items}
        rows = self._platform.store.executions.collection.find({"_id": {"$in": list(ids)}}, ["result"])
        return {ids[row["_id"]]: unpack_json(row.get("result")) for row in rows}

    def all(self, workflow: StoredWorkflow) -> list[dict[str, Any]]:
        """Every child (``status``, ``task_run``, ``is_workflow``)."""
        return self._platform.store.executions.of_workflow(workflow.id)

    def cascade(self, workflow: StoredWorkflow, request: str, runs: Iterable[int] | None = None) -> None:
        """Pass a request down: to sub-workflows whatever they do; ``cancel`` also to children that have not started to run.

        Args:
            request: ``pause``, ``resume`` or ``cancel``.
            runs: only the children of these runs; None for all.
        """
        wanted = None if runs is None else set(runs)
        for row in self.all(workflow):
            if row["status"] in states.FINAL or (wanted is not None and (row.get("task_run") or [None])[0] not in wanted):
                continue
            if row.get("is_workflow") or (request == "cancel" and row["status"] in _AT_REST):
                self._pass_down(row["_id"], request, workflow.settings.get("user") or "")

    def _pass_down(self, id: ObjectId, request: str, requester: str) -> None:
        document = self._platform.store.executions.get(id)
        if document is None:
            return
        control = self._platform.control
        try:
            {"cancel": control.cancel, "pause": control.pause, "resume": control.resume}[request](document, requester)
        except (NotCancelable, Invalid):
            return  # it ended, or was not running, between our look and our request: its own message tells us


def complaint(error: Exception) -> str:
    """How a refused request shows in the errors of a workflow (workflows.md section 5)."""
    if isinstance(error, CastError):
        return f"ValueError: {error}"
    if isinstance(error, ParamError):
        return f"ParamException: {error}"
    text = str(error)
    if text.startswith('Action "') and text.endswith("cannot be found."):
        return f'InvalidActionReferencedException: Unable to find action "{text.split(chr(34))[1]}".'
    return f"ValidationError: {reason(error)}" if isinstance(error, Invalid) else f"{type(error).__name__}: {text}"


def reason(error: Exception) -> str:
    """The whole text of a refusal; of a schema violation the validator's long one."""
    return getattr(error, "long_text", None) or str(error)
