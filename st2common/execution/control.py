"""Cancel, pause, resume and run again (execution.md section 12). Decisions by compare-and-set; workers hear of it on the bus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common import states
from st2common.bus import CONTROL, EVENTS, Bus
from st2common.exceptions import Invalid
from st2common.execution.aftermath import Aftermath
from st2common.execution.request import ExecutionRequests, Request
from st2common.execution.results import dump_result
from st2common.execution.view import ExecutionView
from st2common.models.execution import liveaction_id
from st2common.models.fields import pack_json, unpack_json
from st2common.store import Store
from st2common.store.executions import packed

Document = dict[str, Any]

_AT_REST = (states.REQUESTED, states.SCHEDULED, states.DELAYED, states.PAUSED)
_IN_FLIGHT = (states.RUNNING, states.PAUSING, states.RESUMING)


class NotCancelable(Exception):
    """The execution is in a status that cannot be cancelled (the API answers 200 with a faultstring)."""


class ExecutionControl:
    """Changes of executions that users ask for."""

    def __init__(self, store: Store, bus: Bus, requests: ExecutionRequests, view: ExecutionView, aftermath: Aftermath) -> None:
        self._store = store
        self._bus = bus
        self._requests = requests
        self._view = view
        self._aftermath = aftermath

    def cancel(self, document: Document, requester: str) -> Document:
        """Cancel an execution; a workflow's engine and a running action's worker do the rest.

        At rest and without a parent it is ``canceled`` at once, otherwise ``canceling`` until its worker or engine is done.
        Repeating it is harmless. Returns the document as it stands.

        Raises:
            NotCancelable: it ended already, or waits for an answer.
        """
        id = document["_id"]
        if document["status"] in (states.CANCELED, states.CANCELING):
            return document
        if document["status"] not in states.CANCELABLE:
            raise NotCancelable(f"Action cannot be canceled. State = {document['status']}.")
        context = {**unpack_json(document.get("context"), {}), "cancelled_by": requester}
        result = dump_result({"message": "Action canceled by user.", "user": requester})
        fields = packed(result_text=result, context=context)
        cancelled = False
        if not document.get("parent"):
            cancelled = self._store.executions.transition(id, states.CANCELED, sources=list(_AT_REST), fields=fields)
        if cancelled:
            self._aftermath.ended(self._current(document))
            if document.get("is_workflow"):
                self._aftermath.nudge_workflow(str(id))
        else:
            sources = [*_AT_REST, *_IN_FLIGHT]
            if self._store.executions.transition(id, states.CANCELING, sources=sources, fields=fields):
                self._tell(id, "cancel", document)
                self._event(self._current(document))
        current = self._current(document)
        if current["status"] not in (states.CANCELED, states.CANCELING):
            raise NotCancelable(f"Action cannot be canceled. State = {current['status']}.")
        return current

    def pause(self, document: Document, requester: str) -> Document:
        """Ask a running workflow to pause.

        Raises:
            Invalid: not a workflow, or not running.
        """
        self._must_be_workflow(document, "pause")
        if document["status"] in (states.PAUSING, states.PAUSED):
            return document
        if document["status"] != states.RUNNING:
            raise Invalid(
                f'Failed updating execution. Unable to pause liveaction "{liveaction_id(document["_id"])}" because it is not in a running state.'
            )
        return self._request_change(document, states.PAUSING, [states.RUNNING], "paused_by", "pause", requester)

    def resume(self, document: Document, requester: str) -> Document:
        """Ask a paused workflow to go on.

        Raises:
            Invalid: not a workflow, or not paused.
        """
        self._must_be_workflow(document, "resume")
        if document["status"] in (states.RUNNING, states.RESUMING):
            return document
        if document["status"] != states.PAUSED:
            raise Invalid(
                f'Failed updating execution. Unable to resume liveaction "{liveaction_id(document["_id"])}" because it is in '
                f'"{document["status"]}" state and not in "paused" state.'
            )
        return self._request_change(document, states.RESUMING, [states.PAUSED], "resumed_by", "resume", requester)

    def rerun(
        self, document: Document, *, user: str, parameters: Mapping[str, Any], tasks: list[str], reset: list[str], delay_ms: int = 0,
        context: Mapping[str, Any] | None = None,
    ) -> Document:  # fmt: skip
        """A new execution of the same action with the stored parameters, updated.

        Raises:
            Invalid: task options on something that is not an orquesta workflow, or in a combination that means nothing.
        """
        if tasks or reset:
            if document["runner_name"] not in ("orquesta", "orchestra"):
                raise Invalid("Task option is only supported for Orquesta workflows.")
            if parameters:
                raise Invalid("Parameters override is not supported when re-running task(s) for a workflow.")
        if any(name not in tasks for name in reset):
            raise Invalid("List of tasks to reset does not match the tasks to rerun.")
        rerun: dict[str, Any] = {"ref": str(document["_id"])}
        if tasks or reset:
            rerun.update(tasks=tasks, reset=reset)
        old = unpack_json(document.get("context"), {})
        trace = {"trace_context": {"id_": document["trace_id"]}} if document.get("trace_id") else {}
        merged = {**unpack_json(document.get("parameters"), {}), **parameters}
        new_context = {**trace, "pack": old.get("pack"), **(context or {}), "re-run": rerun}
        request = Request(
            action=document["action_ref"], parameters=merged, user=user, context=new_context, delay_ms=delay_ms, trace_id=document.get("trace_id")
        )
        return self._requests.submit(request)

    def _request_change(self, document: Document, to: str, sources: list[str], by: str, word: str, requester: str) -> Document:
        context = {**unpack_json(document.get("context"), {}), by: requester}
        if self._store.executions.transition(document["_id"], to, sources=sources, fields={"context": pack_json(context)}):
            self._tell(document["_id"], word, document)
            self._event(self._current(document))
        return self._current(document)

    def _must_be_workflow(self, document: Document, word: str) -> None:
        if not document.get("is_workflow"):
            raise Invalid(
                f'Failed updating execution. Unable to {word} liveaction "{liveaction_id(document["_id"])}" because it is not supported by the '
                f'"{document["runner_name"]}" runner.'
            )

    def _tell(self, id: Any, word: str, document: Document) -> None:
        """Workers listen on the control channel; workflows are told through their engine's queue."""
        if document.get("is_workflow"):
            self._aftermath.nudge_workflow(str(id))
        self._bus.announce(CONTROL, {"do": word, "execution": str(id), "status": document["status"]})

    def _event(self, document: Document) -> None:
        self._bus.announce(EVENTS, {"event": "st2.execution__update", **self._view.event(document)})

    def _current(self, document: Document) -> Document:
        return self._store.executions.get(document["_id"]) or document
