"""Accept an execution: validate, cast, insert, publish (execution.md section 4). Used by the API, rules and workflows alike."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from st2common import states
from st2common.bus import EVENTS, EXECUTIONS_REQUESTED, WORK, WORKFLOW_WORK, Bus
from st2common.bus.topology import Channel
from st2common.clock import Clock
from st2common.content_cache import ContentCache, LoadedAction
from st2common.datastore import Datastore
from st2common.exceptions import Invalid, NotFound, OutcomeUnknown, ParamError, St2Error, Unavailable
from st2common.execution.view import ExecutionView
from st2common.expressions import Lazy
from st2common.log import getLogger
from st2common.metrics import Metrics
from st2common.models.execution import liveaction_id
from st2common.outages import Outages
from st2common.parameters import request_parameters, validate_request
from st2common.store import Store
from st2common.store.executions import NewExecution

LOG = getLogger("st2common.execution")
_WAITING = (states.REQUESTED, states.SCHEDULED, states.DELAYED)


@dataclass
class Request:
    """What somebody wants run.

    Attributes:
        user: the requester; decides user-scoped look-ups unless the context names an ``api_user``.
        context: kept with the execution; ``user`` and ``pack`` are filled in.
        variables: further template variables (``trigger`` for rules).
        cause: the documents of a rule, its trigger, trigger type and trigger instance (API forms) when a rule asks.
        id: fixes the execution's id, for requests that may be repeated.
        trace_id: the trace to join, where the caller knows it.
    """

    action: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    user: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    notify: Mapping[str, Any] | None = None
    delay_ms: int = 0
    callback: Mapping[str, Any] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    cause: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    id: ObjectId = field(default_factory=ObjectId)
    parent: str | None = None
    workflow_execution: str | None = None
    task_execution: str | None = None
    task_run: list[int | None] | None = None
    trace_id: str | None = None
    skip_notify: bool = False


class RenderFailed(ParamError):
    """Parameters did not render: the execution is stored as failed, and the caller is told why.

    Attributes:
        document: the stored execution.
    """

    def __init__(self, message: str, document: dict[str, Any]) -> None:
        super().__init__(message)
        self.document = document


class ExecutionRequests:
    """Accepts requests."""

    def __init__(
        self, store: Store, bus: Bus, content: ContentCache, datastore: Datastore, view: ExecutionView, clock: Clock, metrics: Metrics
    ) -> None:
        self._store = store
        self._bus = bus
        self._content = content
        self._datastore = datastore
        self._view = view
        self._clock = clock
        self._metrics = metrics

    def submit(self, request: Request) -> dict[str, Any]:
        """Validate, store and publish. Idempotent by ``request.id``. Returns the stored document.

        Raises:
            Invalid: unknown or disabled action, parameters that break the schema, unknown trace.
            CastError: a parameter cannot be cast; nothing is stored.
            Unavailable: the broker is away; nothing was accepted.
            OutcomeUnknown: a server went away in the middle.
            RenderFailed: a template failed; the failed execution is stored.
        """
        self._content.refresh()
        return self._accept([self._checked(request)])[0]

    def submit_many(self, requests: Sequence[Request]) -> tuple[list[dict[str, Any]], St2Error | None]:
        """The same for several, in one write, in order up to the first that is refused.

        Returns:
            The stored documents of those before it, and why it was refused (None: all were accepted).
        """
        self._content.refresh()
        checked: list[NewExecution] = []
        problem: St2Error | None = None
        for request in requests:
            try:
                checked.append(self._checked(request))
            except (Invalid, NotFound) as error:
                problem = error
                break
        return self._accept(checked), problem

    def submit_valid(self, request: Request, loaded: LoadedAction, context: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
        """Store and publish a request whose parameters were checked."""
        return self._accept([self._valid(request, loaded, context, live)])[0]

    def _checked(self, request: Request) -> NewExecution:
        """What to store for a request; raises as ``submit`` says."""
        loaded = self._load(request.action)
        context, outages = self._context(request, loaded), Outages()
        try:
            live = request_parameters(
                runner_parameters=loaded.runner["runner_parameters"], action_parameters=loaded.action["parameters"],
                supplied=request.parameters, variables=self.variables(loaded, context, request.variables, outages),
            )  # fmt: skip
        except ParamError as error:
            outages.check()
            raise self._render_failed(request, loaded, context, error) from error
        if not loaded.action["enabled"]:
            raise Invalid(f'Unable to execute. Action "{loaded.ref}" is disabled.')
        live = validate_request(runner_parameters=loaded.runner["runner_parameters"], action_parameters=loaded.action["parameters"], live=live)
        return self._valid(request, loaded, context, live)

    def _render_failed(self, request: Request, loaded: LoadedAction, context: dict[str, Any], error: ParamError) -> RenderFailed:
        """Store the execution as failed."""
        new = self._new(request, loaded, context, dict(request.parameters), states.FAILED)
        new.result = {"error": str(error), "traceback": _frames(error)}
        document, created = self._store.executions.request(new)
        if created:
            self._announce([document])
        return RenderFailed(str(error), document)

    def _valid(self, request: Request, loaded: LoadedAction, context: dict[str, Any], live: dict[str, Any]) -> NewExecution:
        held = bool(self._content.concurrency_policies(loaded.ref))
        if request.delay_ms > 0:
            status = states.DELAYED
        else:
            status = states.REQUESTED if held else states.SCHEDULED
        return self._new(request, loaded, context, live, status)

    def _accept(self, wanted: Sequence[NewExecution]) -> list[dict[str, Any]]:
        """Store, publish and tell. One that is there already is published again as long as nobody took it."""
        stored = self._store.executions.request_many(wanted) if wanted else []
        fresh = [document for document, created in stored if created]
        try:
            self._publish([document for document, created in stored if created or document["status"] in _WAITING])
        except Unavailable:
            if len(fresh) != 1 or self._taken_back(fresh[0]):
                raise  # several are asked for again by the same ids, so they may stay; one is refused as if it had never been
        for document in fresh:
            LOG.audit("Action execution requested. LiveAction.id=%s, ActionExecution.id=%s", document["_id"], document["_id"])
            self._metrics.count(f"action.executions.{states.REQUESTED}")
        self._announce(fresh)
        return [document for document, _ in stored]

    def is_unknown(self, ref: str) -> bool:
        """Whether there is no such action."""
        return "." not in ref or self._content.action(ref) is None

    def _taken_back(self, document: dict[str, Any]) -> bool:
        try:
            return self._store.executions.take_back(document)
        except PyMongoError as error:
            raise OutcomeUnknown("Database and broker went away: the execution may have been accepted, or not.") from error

    def publish_work(self, document: Mapping[str, Any]) -> None:
        """Say (again) that a scheduled execution waits for a worker."""
        self._bus.publish(WORKFLOW_WORK if document.get("is_workflow") else WORK, {"id": str(document["_id"])})

    def variables(self, loaded: LoadedAction, context: Mapping[str, Any], more: Mapping[str, Any], outages: Outages | None = None) -> dict[str, Any]:
        """Template variables of parameters: the datastore, the context, the pack's configuration (read only if named)."""
        user = context.get("api_user") or context.get("user")
        pack = loaded.action["pack"]
        reading = (outages or Outages()).reading
        return {
            "st2kv": self._datastore.namespace(user, reading),
            "action_context": dict(context),
            "config_context": Lazy(lambda: reading(lambda: self._datastore.pack_config(pack, user))),
            **more,
        }

    def _load(self, ref: str) -> LoadedAction:
        loaded = self._content.action(ref) if isinstance(ref, str) and "." in ref else None
        if loaded is None:
            raise Invalid(f'Action "{ref}" cannot be found.')
        return loaded

    def _context(self, request: Request, loaded: LoadedAction) -> dict[str, Any]:
        context = dict(request.context)
        context["user"] = request.user or context.get("user")
        context.setdefault("pack", loaded.action["pack"])
        return context

    def _new(self, request: Request, loaded: LoadedAction, context: dict[str, Any], live: dict[str, Any], status: str) -> NewExecution:
        trace_id, trace_tag = self._trace(request, context)
        notify = loaded.action.get("notify") or request.notify
        new = NewExecution(
            id=request.id, action_ref=loaded.ref, runner_name=loaded.runner["name"], action_snapshot=loaded.action_snapshot,
            runner_snapshot=loaded.runner_snapshot, parameters=live, context=context, user=str(context.get("user") or ""), trace_id=trace_id,
            trace_tag=trace_tag, status=status, is_workflow=loaded.is_workflow, notify=None if request.skip_notify else notify,
            callback=request.callback, parent=request.parent, workflow_execution=request.workflow_execution,
            task_execution=request.task_execution, task_run=request.task_run,
        )  # fmt: skip
        if request.delay_ms:
            new.delay_ms = request.delay_ms
            new.due_us = self._clock.now_us() + request.delay_ms * 1000
        self._add_cause(new, request.cause)
        return new

    def _add_cause(self, new: NewExecution, cause: Mapping[str, Mapping[str, Any]]) -> None:
        if not cause:
            return
        put = self._store.snapshots.put
        rule, trigger = cause["rule"], cause["trigger"]
        new.rule_id, new.rule_name, new.rule_snapshot = rule["id"], rule["name"], put("rule", dict(rule))
        new.trigger_ref, new.trigger_snapshot = trigger["ref"], put("trigger", dict(trigger))
        new.trigger_type = trigger.get("type")
        if cause.get("trigger_type"):
            new.trigger_type_snapshot = put("trigger_type", dict(cause["trigger_type"]))
        new.trigger_instance = cause["trigger_instance"]
        new.trigger_instance_id = cause["trigger_instance"]["id"]

    def _trace(self, request: Request, context: dict[str, Any]) -> tuple[str, str | None]:
        """execution.md section 11: (trace id, tag when this execution begins the trace)."""
        given = context.get("trace_context")
        given = given if isinstance(given, dict) else {}
        if request.trace_id:
            return request.trace_id, None
        if given.get("id_"):
            if not self._store.traces.exists(given["id_"]):
                raise Invalid(f"Unable to find the TraceDB instance. {{'id': '{given['id_']}'}}")
            return given["id_"], None
        if given.get("trace_tag"):
            trace_id = str(ObjectId())
            return trace_id, str(given["trace_tag"])
        if request.parent:
            parent = self._store.executions.get(request.parent, ["trace_id"]) if ObjectId.is_valid(request.parent) else None
            if parent is not None and parent.get("trace_id"):
                return parent["trace_id"], None
        return str(ObjectId()), f"execution-{liveaction_id(request.id)}"

    def _publish(self, documents: Sequence[Mapping[str, Any]]) -> None:
        messages: dict[Channel, list[dict[str, str]]] = {}
        for document in documents:
            messages.setdefault(_channel(document), []).append({"id": str(document["_id"])})
        for channel, batch in messages.items():
            self._bus.publish(channel, *batch)

    def _announce(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Tell the event stream of new executions, as they were when they were requested."""
        told = []
        for document in documents:
            if document["status"] != states.FAILED:
                document = {**document, "status": states.REQUESTED, "log": document["log"][:1]}
            told.append({"event": "st2.execution__create", **self._view.event(document)})
        if told:
            self._bus.announce(EVENTS, *told)


def _channel(document: Mapping[str, Any]) -> Channel:
    """Where a waiting execution is announced: scheduled ones to those who run them, others to the scheduler."""
    if document["status"] != states.SCHEDULED:
        return EXECUTIONS_REQUESTED
    return WORKFLOW_WORK if document.get("is_workflow") else WORK


def _frames(error: BaseException) -> str:
    """The traceback's frames without the exception line, as results carry it."""
    return "".join(traceback.format_tb(error.__traceback__))
