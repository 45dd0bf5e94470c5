"""The conductor: a pure state machine that runs a workflow. Events in, commands out; see the package's documentation for the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from st2common import states
from st2common.expressions.evaluate import evaluate
from st2common.expressions.scope import CurrentTask, Scope
from st2common.expressions.workflow_errors import described
from st2common.workflows import events, joins, rendering, transitions
from st2common.workflows import items as with_items
from st2common.workflows import rerun as rerunning
from st2common.workflows.commands import Cascade, Command, Finish, SetStatus, TaskChanged
from st2common.workflows.contexts import INITIAL
from st2common.workflows.errors import RequestRefused, UnreachableJoinError
from st2common.workflows.following import Follower
from st2common.workflows.results import Means, RunResults
from st2common.workflows.spec import CONTINUE, FAIL, WorkflowSpec
from st2common.workflows.starting import Starter
from st2common.workflows.state import ACTIVE, HELD, Run, Staged, State
from st2common.workflows.transitions import Facts

EXECUTION_FAILED = "Execution failed. See result for details."
_STARTING = (states.RUNNING, states.RESUMING, states.FAILED)
"""Statuses in which tasks start; in a failed workflow only those beside ``do: fail``."""
_MOST_ROUNDS = 10_000
"""Tasks without action run within one step; a cycle of nothing else is stopped here."""
_FINAL_STATUSES = (states.SUCCEEDED, states.FAILED, states.CANCELED)


class Conductor:
    """One workflow run.

    Args:
        spec: the definition; must have passed inspection.
        state: what is known so far.
        means: readers.
        begin: parameters and context for the initial context; needed until the event ``Started`` was handled.
    """

    def __init__(self, spec: WorkflowSpec, state: State, means: Means | None = None, begin: Callable[[], None] | None = None) -> None:
        self.spec = spec
        self.state = state
        self.means = means or Means()
        self._begin = begin
        self.results = RunResults(spec, state, self.means.results)
        self._follower = Follower(spec, state)
        self._starter = Starter(spec, state, self._scope_of)
        self._commands: list[Command] = []
        self._shown = self.shown_status
        self._render_output = True

    # --- life

    @classmethod
    def start(
        cls,
        spec: WorkflowSpec,
        inputs: Mapping[str, Any],
        context: Mapping[str, Any],
        workflow_id: str | None = None,
        means: Means | None = None,
    ) -> Conductor:
        """A new workflow run. Handle :class:`~st2common.workflows.events.Started` to set it going.

        Args:
            spec: the definition; must have passed inspection.
            inputs: rendered action parameters.
            context: ``st2`` and ``parent`` (workflows.md 3.5).
            workflow_id: becomes ``ctx().st2.workflow_execution_id``.
            means: readers.
        """
        conductor = cls(spec, State(), means)

        def begin() -> None:
            scope = Scope(conductor.state.contexts.variables(), datastore=conductor.means.datastore)
            values, errors = rendering.initial_context(spec, inputs, context, scope)
            for message in errors:
                conductor.state.log_error(message)
            if errors:
                # No context at all: nothing of the output could be resolved, so upstream renders none (recorded).
                conductor._render_output = False
                conductor._set_status(states.FAILED)
                return
            conductor.state.contexts.add_initial(rendering.with_workflow_id(values, workflow_id) if workflow_id else values)

        conductor._begin = begin
        return conductor

    @classmethod
    def load(cls, spec: WorkflowSpec, parts: Mapping[str, Any], means: Means | None = None) -> Conductor:
        """A workflow run from its stored parts (all that ``dump`` or the ``dirty_parts`` of its whole life gave).

        Args:
            spec: the same definition as at the start.
            parts: name -> JSON data.
            means: readers.
        """
        return cls(spec, State.load(parts), means)

    def dump(self) -> dict[str, Any]:
        """All parts of the state."""
        return self.state.all_parts()

    def dirty_parts(self) -> dict[str, Any]:
        """Parts that changed since ``mark_saved``: name -> JSON data, None for one to delete."""
        return self.state.dirty_parts()

    def mark_saved(self) -> None:
        """The parts of ``dirty_parts`` have been stored."""
        self.state.mark_saved()

    @property
    def status(self) -> str:
        """The engine's own status."""
        return self.state.status

    @property
    def shown_status(self) -> str:
        """The status to show: pausing only if somebody asked for it (workflows.md 7.3)."""
        state = self.state
        return states.RUNNING if state.status == states.PAUSING and not state.pause_requested else state.status

    @property
    def is_stuck(self) -> bool:
        """Whether the workflow is under way with nothing active and nobody to wait for: it would hang (for sweepers)."""
        under_way = self.state.status in (states.RUNNING, states.PAUSING, states.RESUMING, states.CANCELING)
        return under_way and not self.state.active and not self.state.held

    def outstanding(self) -> list[Command]:
        """What must have been carried out by now, from the state alone: for whoever finds that a crash came between saving and doing.

        A ``StartTask`` for each active run, with the requests of all its active items; the ``Finish`` of a finished workflow. Skip what is
        already there (an execution for that run and item, a final result). Requests are rendered anew.
        """
        commands: list[Command] = [self._starter.again(number, self.state.runs[number]) for number in sorted(self.state.active)]
        if self.state.finished:
            commands.append(Finish(self.state.status, self.state.output, tuple(self.state.errors)))
        self.results.forget()
        return commands

    # --- events

    def handle(self, happened: Iterable[events.Event]) -> list[Command]:
        """Take in events, in order, and say what is to be done.

        Events about runs that already ended change nothing, so a batch may be delivered again.

        Raises:
            RequestRefused: a pause or resume request that is impossible now.
            RerunRefused: a rerun that is impossible.
        """
        for event in happened:
            self._take(event)
            if self.state.status in _STARTING:
                self._start_ready()
            self._settle()
        commands, self._commands = self._commands, []
        self.results.forget()
        return commands

    def _take(self, event: events.Event) -> None:
        match event:
            case events.Started():
                self._take_started()
            case events.ActionChanged():
                self._take_action(event)
            case events.RequestFailed():
                self._take_request_failed(event)
            case events.PauseRequested():
                self._take_pause()
            case events.ResumeRequested():
                self._take_resume()
            case events.CancelRequested():
                self._take_cancel()
            case events.RerunRequested():
                rerunning.restart(self.spec.graph, self.state, event.tasks, event.reset)
                self._render_output = True
                self._set_status(states.RUNNING)
            case events.Failed():
                if self.state.status not in _FINAL_STATUSES:
                    self.state.log_error(event.message)
                    self._set_status(states.FAILED)

    def _take_started(self) -> None:
        if self.state.status != states.REQUESTED or self._begin is None:
            return
        self._set_status(states.RUNNING)
        self._begin()
        if self.state.status == states.RUNNING:
            for task in self.spec.graph.starts:
                self.state.staged[task, 0] = Staged([INITIAL], [], ready=True)
            self.state.change_staged()

    def _take_action(self, event: events.ActionChanged) -> None:
        run = self.state.runs.get(event.run)
        if run is None:
            return
        self.results.learn(event.run, event.item, event.result)
        if run.items is not None and event.item is not None:
            self._take_item(event.run, run, event.item, event.status)
        elif run.status in ACTIVE or run.status in HELD:
            if event.status in states.FINAL:
                self._complete(event.run, run, event.status)
            elif event.status != run.status:
                self._change(event.run, run, event.status)
            elif event.status == states.PAUSED and self.state.status == states.RESUMING and not self.state.active:
                self._set_status(states.PAUSED)  # a sub-workflow that was resumed and waits again

    def _take_item(self, number: int, run: Run, item: int, status: str) -> None:
        items = run.items
        assert items is not None
        if not 0 <= item < items.count or items.statuses[item] in states.FINAL or items.statuses[item] == status:
            return
        self.state.set_item(number, item, status)
        if status in states.FAILURES:
            self.state.log_error(EXECUTION_FAILED, task=run.task, result=self.results.of_action(number, item))
        if run.status not in ACTIVE and run.status not in HELD:
            return
        whole = with_items.status_of(items, self.state.status)
        if whole in states.FINAL:
            self._complete(number, run, whole, logged=True)
        elif whole != run.status:
            self._change(number, run, whole)
        if whole == states.RUNNING:
            self._start_items(number, run)

    def _take_request_failed(self, event: events.RequestFailed) -> None:
        run = self.state.runs.get(event.run)
        if run is not None and run.status in ACTIVE:
            self.state.log_error(event.message, task=run.task, route=run.route)
            self.state.set_status(event.run, states.FAILED)
            self._commands.append(TaskChanged(event.run, states.FAILED))
        for number in event.unrequested:
            dropped = self.state.runs.get(number)
            if dropped is not None and dropped.status in ACTIVE:
                self.state.staged[dropped.task, dropped.route] = Staged([dropped.context], dropped.prev, ready=True)
                self.state.change_staged()
                self.state.drop_run(number)
        self._react(transitions.TASK_FAILED, event.run)

    def _take_pause(self) -> None:
        if self.state.status in _FINAL_STATUSES or self.state.status == states.CANCELING:
            raise RequestRefused(f"The workflow cannot be paused because it is {self.state.status}.")
        self.state.pause_requested = True
        self.state.change()
        active = tuple(sorted(self.state.active))
        if active:
            self._commands.append(Cascade("pause", active))
        self._react(transitions.PAUSE)
        for number in active:
            run = self.state.runs[number]
            if run.items is not None and run.status == states.RUNNING:
                self.state.set_status(number, states.PAUSING)
                self._commands.append(TaskChanged(number, states.PAUSING))

    def _take_resume(self) -> None:
        state = self.state
        if state.status in _FINAL_STATUSES or state.status == states.CANCELING:
            raise RequestRefused(f"The workflow cannot be resumed because it is {state.status}.")
        if state.status not in (states.PAUSING, states.PAUSED):
            return
        state.pause_requested = False
        self._set_status(states.RESUMING)
        waiting = tuple(sorted(n for n in state.active | state.held if state.runs[n].status in (states.PAUSING, states.PAUSED)))
        if waiting:
            self._commands.append(Cascade("resume", waiting))
        for number in waiting:
            run = state.runs[number]
            if run.items is not None and with_items.status_of(run.items, states.RUNNING) == states.RUNNING:
                self._change(number, run, states.RUNNING)
                self._start_items(number, run)
        self._start_ready()
        if state.status != states.RESUMING:
            return
        if state.active:
            self._set_status(states.RUNNING)
        elif not state.held and not self._more():
            # Upstream completes without rendering the output when the pause came during the last task (workflows.md 7.2).
            self._render_output = False
            self._set_status(states.SUCCEEDED)
        elif not any(state.runs[n].status == states.PAUSED for n in state.held):
            self._set_status(states.PAUSED)

    def _take_cancel(self) -> None:
        if self.state.status in _FINAL_STATUSES:
            return
        down = tuple(sorted(n for n in self.state.active | self.state.held if self.state.runs[n].status != states.PENDING))
        if down:
            self._commands.append(Cascade("cancel", down))
        self._react(transitions.CANCEL)

    # --- a run goes on or ends

    def _change(self, number: int, run: Run, status: str) -> None:
        """A run has a new status that is not final."""
        was_held = run.status in HELD
        self.state.set_status(number, status)
        self._commands.append(TaskChanged(number, status))
        if status == states.PENDING:
            self._react(transitions.TASK_PENDING, number)
        elif status == states.PAUSED:
            self._react(transitions.TASK_PAUSED, number)
        elif status == states.CANCELING:
            self._react(transitions.TASK_CANCELING, number)
        elif was_held and status in (states.RUNNING, states.RESUMING):
            self._react(transitions.TASK_RUNNING, number)

    def _complete(self, number: int, run: Run, outcome: str, logged: bool = False) -> None:
        """A run ended: retry it, or follow its transitions, and let the workflow answer."""
        was_held = run.status in HELD
        run.outcome = outcome
        self.state.set_status(number, states.FAILED if outcome in states.FAILURES else outcome)
        self._commands.append(TaskChanged(number, outcome))
        if was_held and not self.state.held and self.state.status in (states.PAUSING, states.PAUSED):
            # The last answer resumes what the questions had paused (workflows.md 7.3).
            self.state.pause_requested = False
            self._set_status(states.RESUMING)
        if run.status == states.FAILED and not logged:
            self.state.log_error(EXECUTION_FAILED, task=run.task, result=self.results.of_action(number, None))
        before = self.state.status
        scope = self._scope_of(run.context, CurrentTask(run.task, run.route, run.status, lambda: self.results.of_task(number)))
        if self._retries(number, run, scope):
            return
        commands, failed = self._follower.follow(number, run, scope)
        if failed:
            self._set_status(states.FAILED)
        self._react_to_end(number, run)
        for key in commands:
            self._run_command(*key)
        if self.state.status in _FINAL_STATUSES and before not in _FINAL_STATUSES:
            run.term = True
        self.state.touch(number)

    def _react_to_end(self, number: int, run: Run) -> None:
        remediated = run.status == states.FAILED and self._is_remediated(run)
        if run.status == states.CANCELED:
            event = transitions.TASK_CANCELED
        elif run.status == states.FAILED and not remediated:
            event = transitions.TASK_FAILED
        else:
            event = transitions.TASK_DONE
        self._react(event, number, remediated)

    @staticmethod
    def _is_remediated(run: Run) -> bool:
        return any(taken and name.rpartition("__t")[0] != CONTINUE for name, taken in run.next.items())

    def _retries(self, number: int, run: Run, scope: Scope) -> bool:
        plan = run.retry
        if plan is None or run.status == states.CANCELED or plan["tally"] >= plan["count"]:
            return False
        if self.state.status in _FINAL_STATUSES or self.state.status == states.CANCELING:
            return False
        if plan["when"] is None:
            wanted = run.status == states.FAILED
        else:
            try:
                wanted = bool(evaluate(plan["when"], scope))
            except rendering.RENDER_ERRORS as error:
                self.state.log_error(described(error), task=run.task, route=run.route)
                self._set_status(states.FAILED)
                return False
        if wanted:
            run.retried = True
            self.state.touch(number)
            self.state.staged[run.task, run.route] = Staged([run.context], run.prev, ready=True, retry_of=number)
            self.state.change_staged()
            self._react(transitions.TASK_RETRYING, number)
        return wanted

    def _run_command(self, task: str, route: int) -> None:
        """An engine command is a run that ends at once."""
        entry = self.state.staged.pop((task, route), None)
        if entry is None:
            return
        context = self.state.contexts.join(entry.contexts)
        status = states.FAILED if task == FAIL else states.SUCCEEDED
        before = self.state.status
        number = self.state.add_run(Run(task, route, context, status, status, entry.prev, term=True))
        if task == FAIL:
            self.state.log_error(EXECUTION_FAILED, task=FAIL)
        if before not in _FINAL_STATUSES:
            self._react(transitions.TASK_FAILED if task == FAIL else transitions.TASK_DONE, number)

    # --- starting tasks

    def _start_ready(self) -> None:
        """Start everything that may start; a task without action ends at once and its successors start as well."""
        for _ in range(_MOST_ROUNDS):
            batch = self._ready()
            if not batch:
                return
            commands, ended, failed = self._starter.start_batch(batch)
            self._commands += commands
            if failed:
                self._set_status(states.FAILED)
            for number in ended:
                self._complete(number, self.state.runs[number], states.SUCCEEDED)
            if not ended or self.state.status not in _STARTING:
                return
        self.state.log_error(f"The workflow went through {_MOST_ROUNDS} tasks without an action in one step; it would never end.")
        self._set_status(states.FAILED)

    def _ready(self) -> list[tuple[str, int]]:
        failed = self.state.status == states.FAILED
        return sorted(key for key, entry in self.state.staged.items() if entry.ready and (entry.on_fail or not failed))

    def _more(self) -> bool:
        return any(entry.ready for entry in self.state.staged.values())

    def _start_items(self, number: int, run: Run) -> None:
        """Start further items of a running task, as far as its concurrency allows."""
        if self.state.status in (states.RUNNING, states.RESUMING):
            commands, failed = self._starter.start_items(number, run)
            self._commands += commands
            if failed:
                self._set_status(states.FAILED)

    # --- status

    def _react(self, event: str, number: int | None = None, remediated: bool = False) -> None:
        state = self.state
        facts = Facts(
            active=any(n != number for n in state.active),
            canceled=any(n >= state.first_run for n in state.canceled),
            held=bool(state.held),
            more=self._more(),
            remediated=remediated,
        )
        self._set_status(transitions.advance(state.status, event, facts))

    def _set_status(self, status: str) -> None:
        if status == self.state.status:
            return
        if status == states.FAILED and self.state.status in (*_FINAL_STATUSES, states.CANCELING):
            return  # a cancel under way stays one; a final status is final
        self.state.status = status
        self.state.change()

    def _settle(self) -> None:
        """After an event: finish a workflow that reached its end, or tell its new status."""
        if self.state.status in _FINAL_STATUSES:
            if not self.state.finished:
                self._finish()
        elif self.shown_status != self._shown:
            self._commands.append(SetStatus(self.shown_status))
        self._shown = self.shown_status

    def _finish(self) -> None:
        state = self.state
        if state.status != states.CANCELED:
            self._report_unreachable_joins()
        if self._render_output and state.output is None and self.spec.output:
            terminal = [run.context for _, run in sorted(state.runs.items()) if run.term]
            scope = Scope(state.contexts.variables(*terminal), tasks=self.results, datastore=self.means.datastore)
            output, errors = rendering.output(self.spec.output, scope)
            state.output = output or None
            for message in errors:
                self.state.log_error(message)
            if errors and state.status == states.SUCCEEDED:
                state.status = states.FAILED
        state.finished = True
        state.change()
        self._commands.append(Finish(state.status, state.output, tuple(state.errors)))

    def _report_unreachable_joins(self) -> None:
        for task, route in joins.unreachable(self.spec.graph, self.state):
            error = UnreachableJoinError(f'The join task|route "{task}|{route}" is partially satisfied but unreachable.')
            self.state.log_error(described(error), task=task, route=route)
            if self.state.status == states.SUCCEEDED:
                self.state.status = states.FAILED

    def _scope_of(self, context: int, current: CurrentTask) -> Scope:
        return Scope(self.state.contexts.variables(context), current, tasks=self.results, datastore=self.means.datastore)
