"""One orquesta run: the conductor with its state in the store (workflows.md sections 3 to 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from st2actions.workflows.children import Children, child_id, complaint, task_execution_id
from st2common import states
from st2common.clock import from_us
from st2common.exceptions import NotFound
from st2common.execution.request import Request
from st2common.execution.results import dump_result
from st2common.log import getLogger
from st2common.outages import Outages
from st2common.parameters import validate_output
from st2common.platform import Platform
from st2common.store.executions import packed
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import events
from st2common.workflows.commands import ActionRequest, Cascade, Command, Finish, SetStatus, StartItems, StartTask, TaskChanged
from st2common.workflows.conductor import Conductor
from st2common.workflows.errors import RequestRefused
from st2common.workflows.results import Means
from st2common.workflows.spec import WorkflowSpec

LOG = getLogger("st2actions.workflows")
_AT_ONCE = 100
"""Children requested together: the first of a thousand already run while the others are being requested."""


class Reader:
    """What the conductor may read while it thinks."""

    def __init__(self, workflow: StoredWorkflow, children: Children, outages: Outages) -> None:
        self._workflow = workflow
        self._children = children
        self._outages = outages

    def result(self, run: int, item: int | None) -> Any:
        """Result of a run's action."""
        return self._outages.reading(lambda: self._children.result(self._workflow, run, item))

    def results(self, run: int, items: Sequence[int]) -> Mapping[int, Any]:
        """Results of items of a run."""
        return self._outages.reading(lambda: self._children.results(self._workflow, run, items))

    def record(self, run: int) -> Mapping[str, Any]:
        """Ids and moments of a run."""
        start, end = (self._workflow.records.get(str(run)) or [None, None])[:2]
        return {
            "task_execution_id": task_execution_id(self._workflow, run),
            "workflow_execution_id": str(self._workflow.id),
            "start_timestamp": str(from_us(start)) if start else "None",
            "end_timestamp": str(from_us(end)) if end else "None",
        }


class OrquestaRun:
    """A run in memory, in step with ``workflow``."""

    def __init__(self, platform: Platform, children: Children, workflow: StoredWorkflow, spec: WorkflowSpec) -> None:
        self._platform = platform
        self._children = children
        self.workflow = workflow
        self.spec = spec
        self.conductor: Conductor
        self._shown_before: str | None = None
        self._outages = Outages()

    # -- life --------------------------------------------------------------------------------------------------------

    def begin(self, inputs: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """A new run; feed ``Started`` next."""
        self.conductor = Conductor.start(self.spec, inputs, context, str(self.workflow.id), self._means())

    def resume_from_store(self) -> None:
        """The run as it was saved last."""
        self.conductor = Conductor.load(self.spec, self.workflow.parts, self._means())

    def _means(self) -> Means:
        return Means(Reader(self.workflow, self._children, self._outages), self._read_key)

    def _read_key(self, key: str, decrypt: bool) -> str:
        """``st2kv()``: ``system.`` is the system scope, anything else is the running user's (workflows.md 4.3)."""
        scope, name = "st2kv.user", f"{self.workflow.settings.get('user')}:{key}"
        for prefix in ("st2kv.system.", "system."):
            if key.startswith(prefix):
                scope, name = "st2kv.system", key.removeprefix(prefix)
                break
        else:
            for prefix in ("st2kv.user.", "user."):
                if key.startswith(prefix):
                    name = f"{self.workflow.settings.get('user')}:{key.removeprefix(prefix)}"
                    break
        pair = self._outages.reading(lambda: self._platform.store.keys.get(scope, name))
        if pair is None:
            raise NotFound(f'The key "{key}" does not exist in the StackStorm datastore.')
        return self._platform.datastore.decrypt(pair.value, key) if decrypt and pair.encrypted else pair.value

    # -- stepping ----------------------------------------------------------------------------------------------------

    def advance(self, happened: Iterable[events.Event]) -> list[Command]:
        """Take events in. A pause or resume that is impossible now is only logged.

        Raises:
            RerunRefused: a rerun that is impossible.
            PyMongoError, Unavailable: a server went away; what this run holds is not to be used any more.
        """
        commands: list[Command] = []
        self._shown_before = self.conductor.shown_status
        for event in happened:
            try:
                commands += self.conductor.handle([event])
            except RequestRefused as error:
                LOG.info("workflow %s: %s", self.workflow.id, error)
        self._outages.check()
        self.workflow.status = self.conductor.status
        self._note_moments(commands)
        return commands

    def knows(self, run: int, item: int | None, status: str) -> bool:
        """Whether news of a child would be none: the run ended, or has that status."""
        known = self.conductor.state.runs.get(run)
        if known is None:
            return True
        if known.items is not None and item is not None:
            return not 0 <= item < known.items.count or known.items.statuses[item] == status or known.items.statuses[item] in states.FINAL
        waits_again = status == states.PAUSED and self.conductor.status == states.RESUMING
        return known.outcome is not None or (known.status == status and not waits_again)

    def outstanding(self) -> list[Command]:
        """What a crash may have left undone: requests of children that do not exist, and the status to show."""
        self._shown_before = None
        missing: list[Command] = []
        try:
            commands = self.conductor.outstanding()
        finally:
            self._outages.check()
        if any(isinstance(command, StartTask) and command.requests for command in commands):
            there = {row["_id"] for row in self._children.all(self.workflow)}
            for command in commands:
                if isinstance(command, StartTask):
                    requests = tuple(request for request in command.requests if child_id(self.workflow, command.run, request.item) not in there)
                    if not requests:
                        continue
                    command = replace(command, requests=requests)
                missing.append(command)
        else:
            missing = [command for command in commands if not isinstance(command, StartTask)]
        if self.conductor.status not in states.FINAL:
            missing.append(SetStatus(self.conductor.shown_status))
        return missing

    def changed_parts(self) -> dict[str, Any]:
        """What has to be stored."""
        return self.conductor.dirty_parts()

    def mark_saved(self) -> None:
        """It has been stored."""
        self.conductor.mark_saved()

    def _note_moments(self, commands: list[Command]) -> None:
        now = self._platform.clock.now_us()
        for command in commands:
            if isinstance(command, StartTask):
                self.workflow.records[str(command.run)] = [now, None]
            elif isinstance(command, TaskChanged) and command.status in states.FINAL:
                started = (self.workflow.records.get(str(command.run)) or [now])[0]
                self.workflow.records[str(command.run)] = [started, now]

    # -- carrying out ------------------------------------------------------------------------------------------------

    def carry_out(self, commands: Sequence[Command]) -> list[events.Event]:
        """Do what the conductor decided (idempotent). Returns what came of it at once: requests that were refused."""
        refused = self._request_all([command for command in commands if isinstance(command, StartTask | StartItems)])
        for command in commands:
            if isinstance(command, Cascade):
                self._children.cascade(self.workflow, command.request, command.runs)
            elif isinstance(command, SetStatus):
                if self._shown_before != states.REQUESTED:  # the execution runs since it was taken for this run
                    self.show(command.status)
            elif isinstance(command, Finish):
                finish(self._platform, self.workflow.execution_id, command.status, command.result)
        return refused

    def _request_all(self, commands: Sequence[StartTask | StartItems]) -> list[events.Event]:
        """Request the children of all these commands, up to the first that is refused."""
        wanted = [(index, request) for index, command in enumerate(commands) for request in command.requests]
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            accepted, problem = self._children.request([self._form(commands[index].run, request) for index, request in batch])
            if problem is not None:
                index, request = batch[accepted]
                dropped = tuple(command.run for command in commands[index + 1 :] if isinstance(command, StartTask))
                return [events.RequestFailed(commands[index].run, complaint(problem), dropped, request.item)]
        return []

    def _form(self, number: int, request: ActionRequest) -> Request:
        settings, run = self.workflow.settings, self.conductor.state.runs[number]
        about: dict[str, Any] = {
            "workflow_execution_id": str(self.workflow.id), "task_execution_id": task_execution_id(self.workflow, number),
            "task_name": run.task, "task_id": run.task, "task_route": run.route,
        }  # fmt: skip
        if request.item is not None:
            about["item_id"] = request.item
        notify = settings.get("notify") if run.task in settings.get("notify_tasks", []) else None
        return self._children.form(
            self.workflow, run=number, item=request.item, action=request.action, parameters=request.input, delay_ms=request.delay_s * 1000,
            extra_context={"orquesta": about}, notify=notify, task_execution=about["task_execution_id"],
        )  # fmt: skip

    def show(self, status: str, *, taken: str | None = None) -> None:
        """Give the execution the run's status.

        A request that somebody made meanwhile stands in the execution's status and must not be lost, so a status is only replaced
        where it cannot be a request that was not taken yet.

        Args:
            taken: the request that this run just took, as the execution shows it.
        """
        if status == states.RESUMING:
            return  # the request itself set it
        replaced = {states.RUNNING: [states.RESUMING, states.PAUSED], states.PAUSED: [states.RUNNING, states.PAUSING]}
        sources = replaced.get(status) or states.sources(status)
        if states.PAUSING == self._shown_before and status == states.RUNNING:
            sources = [*sources, states.PAUSING]  # the last answer resumes what was to pause (workflows.md 7.3)
        if taken is not None:
            sources = [*sources, taken]
        executions = self._platform.store.executions
        if executions.transition(self.workflow.execution_id, status, sources=sources):
            document = executions.get(self.workflow.execution_id)
            if document is not None:
                self._platform.aftermath.child_changed(document)
                self._platform.aftermath.changed(document)


def finish(platform: Platform, execution_id: str, status: str, result: Any) -> None:
    """Give a workflow's execution its end, unless it has one."""
    executions = platform.store.executions
    document = executions.get(execution_id)
    if document is None or document["status"] in states.FINAL:
        return
    if status == states.SUCCEEDED and platform.config.system.validate_output_schema:
        action, runner = (platform.store.snapshots.get(document[key]) for key in ("action_snapshot", "runner_snapshot"))
        replaced = validate_output(result, runner.get("output_schema"), action.get("output_schema"), runner.get("output_key"))
        if replaced is not None:
            status, result = states.FAILED, replaced
    debt, owed = platform.aftermath.debt(document, status)
    now = platform.clock.now_us()
    fields = {**packed(result_text=dump_result(result)), **debt, "end_us": now}
    sources = [state for state in states.STATUSES if state not in states.FINAL]
    if executions.transition(execution_id, status, sources=sources, fields=fields, new_link=owed):
        platform.aftermath.ended({**document, **fields, "status": status, "log": [*document["log"], [now, status]]}, owed=bool(debt))
