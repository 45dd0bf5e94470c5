"""One orquesta run: the conductor with its state in the store (workflows.md sections 3 to 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from st2actions.workflows.children import Children, child_id, complaint, task_execution_id
from st2common import states
from st2common.clock import from_us
from st2common.exceptions import Invalid, NotFound
from st2common.execution.results import dump_result
from st2common.log import getLogger
from st2common.parameters import validate_output
from st2common.platform import Platform
from st2common.store.executions import packed
from st2common.store.workflows import StoredWorkflow
from st2common.workflows import events
from st2common.workflows.commands import ActionRequest, Cascade, Command, Finish, SetStatus, StartItems, StartTask, TaskChanged
from st2common.workflows.conductor import Conductor
from st2common.workflows.errors import RequestRefused, RerunRefused
from st2common.workflows.results import Means
from st2common.workflows.spec import WorkflowSpec

LOG = getLogger("st2actions.workflows")


class Reader:
    """What the conductor may read while it thinks."""

    def __init__(self, workflow: StoredWorkflow, children: Children) -> None:
        self._workflow = workflow
        self._children = children

    def result(self, run: int, item: int | None) -> Any:
        """Result of a run's action."""
        return self._children.result(self._workflow, run, item)

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
        self.result: dict[str, Any] | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    def begin(self, inputs: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """A new run; feed ``Started`` next."""
        self.conductor = Conductor.start(self.spec, inputs, context, str(self.workflow.id), self._means())

    def resume_from_store(self) -> None:
        """The run as it was saved last."""
        self.conductor = Conductor.load(self.spec, self.workflow.parts, self._means())

    def _means(self) -> Means:
        return Means(Reader(self.workflow, self._children), self._read_key)

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
        pair = self._platform.store.keys.get(scope, name)
        if pair is None:
            raise NotFound(f'The key "{key}" does not exist in the StackStorm datastore.')
        return self._platform.datastore.decrypt(pair.value, key) if decrypt and pair.encrypted else pair.value

    # -- stepping ----------------------------------------------------------------------------------------------------

    def advance(self, happened: Iterable[events.Event]) -> list[Command]:
        """Take events in. A pause or resume that is impossible now is only logged.

        Raises:
            RerunRefused: a rerun that is impossible.
        """
        commands: list[Command] = []
        for event in happened:
            try:
                commands += self.conductor.handle([event])
            except RerunRefused:
                raise
            except RequestRefused as error:
                LOG.info("workflow %s: %s", self.workflow.id, error)
        self.workflow.status = self.conductor.status
        self._note_moments(commands)
        return commands

    def outstanding(self) -> list[Command]:
        """What a crash may have left undone: requests of children that do not exist, and the status to show."""
        commands = self.conductor.outstanding()
        if not commands:
            return []
        there = {row["_id"] for row in self._platform.store.executions.of_workflow(self.workflow.id)}
        missing: list[Command] = []
        for command in commands:
            if isinstance(command, StartTask | StartItems):
                requests = tuple(request for request in command.requests if child_id(self.workflow, command.run, request.item) not in there)
                if not requests:
                    continue
                command = replace(command, requests=requests)
            missing.append(command)
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

    def carry_out(self, commands: list[Command]) -> list[events.Event]:
        """Do what the conductor decided (idempotent). Returns what came of it at once: requests that were refused."""
        for index, command in enumerate(commands):
            if isinstance(command, StartTask | StartItems):
                problem = self._request_all(command)
                if problem is not None:
                    dropped = tuple(other.run for other in commands[index + 1 :] if isinstance(other, StartTask))
                    rest = [other for other in commands[index + 1 :] if not isinstance(other, StartTask | StartItems)]
                    message, item = problem
                    return [events.RequestFailed(command.run, message, dropped, item), *self.carry_out(rest)]
            elif isinstance(command, Cascade):
                self._children.cascade(self.workflow, command.request, set(command.runs))
            elif isinstance(command, SetStatus):
                self._show(command.status)
            elif isinstance(command, Finish):
                self._finish(command)
        return []

    def _request_all(self, command: StartTask | StartItems) -> tuple[str, int | None] | None:
        run = self.conductor.state.runs[command.run]
        for request in command.requests:
            try:
                self._request(command.run, run.task, run.route, request)
            except Invalid as error:
                return complaint(error), request.item
        return None

    def _request(self, number: int, task: str, route: int, request: ActionRequest) -> None:
        settings = self.workflow.settings
        about: dict[str, Any] = {
            "workflow_execution_id": str(self.workflow.id), "task_execution_id": task_execution_id(self.workflow, number), "task_name": task,
            "task_id": task, "task_route": route,
        }  # fmt: skip
        if request.item is not None:
            about["item_id"] = request.item
        notify = settings.get("notify") if task in settings.get("notify_tasks", []) else None
        self._children.request(
            self.workflow, run=number, item=request.item, action=request.action, parameters=request.input, delay_ms=request.delay_s * 1000,
            extra_context={"orquesta": about}, notify=notify, task_execution=about["task_execution_id"],
        )  # fmt: skip

    def _show(self, status: str) -> None:
        executions = self._platform.store.executions
        if status == states.RESUMING:
            return  # the request itself set it
        if executions.transition(self.workflow.execution_id, status):
            document = executions.get(self.workflow.execution_id)
            if document is not None:
                self._platform.aftermath.child_changed(document)
                self._platform.aftermath.changed(document)

    def _finish(self, command: Finish) -> None:
        finish(self._platform, self.workflow.execution_id, command.status, command.result)


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
    fields = {**packed(result_text=dump_result(result)), **debt}
    sources = [state for state in states.STATUSES if state not in states.FINAL]
    if executions.transition(execution_id, status, sources=sources, fields=fields, new_link=owed):
        platform.aftermath.ended(executions.get(execution_id) or document, owed=bool(debt))
