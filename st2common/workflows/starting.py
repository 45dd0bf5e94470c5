"""Starting tasks and items: rendering, retry plans, requests (workflows.md 5, 6.7 and 6.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from st2common import states
from st2common.expressions.scope import CurrentTask, Scope
from st2common.expressions.workflow_errors import described
from st2common.workflows import items as with_items
from st2common.workflows import rendering
from st2common.workflows.commands import ActionRequest, Command, StartItems, StartTask
from st2common.workflows.spec import WorkflowSpec
from st2common.workflows.state import ACTIVE, Items, Run, Staged, State

Key = tuple[str, int]


class Starter:
    """Turns staged tasks into runs.

    Args:
        spec: the definition.
        state: changed.
        scope_of: what expressions of a task with that context can see.
    """

    def __init__(self, spec: WorkflowSpec, state: State, scope_of: Callable[[int, CurrentTask], Scope]) -> None:
        self._spec = spec
        self._state = state
        self._scope_of = scope_of

    def start_batch(self, batch: Sequence[Key]) -> tuple[list[Command], list[int], bool]:
        """Render and start staged tasks. One that cannot be rendered and none of them starts.

        Returns:
            Commands, the runs that are complete already (no action, or no items), and whether the workflow has to fail.
        """
        rendered = []
        for key in batch:
            entry = self._state.staged[key]
            entry.on_fail = False
            context = self._state.contexts.join(entry.contexts)
            scope = self._scope_of(context, CurrentTask(*key))
            try:
                rendered.append((key, entry, context, scope, rendering.task(self._spec.tasks[key[0]], scope)))
            except rendering.RENDER_ERRORS as error:
                self._state.log_error(described(error), task=key[0], route=key[1])
        self._state.change_staged()
        if len(rendered) < len(batch):
            return [], [], True
        commands: list[Command] = []
        ended: list[int] = []
        for key, entry, context, scope, ready in rendered:
            try:
                plan = self._retry_plan(key, entry, scope)
            except rendering.RENDER_ERRORS as error:
                self._state.log_error(described(error))
                return commands, ended, True
            command = self._start(key, entry, context, ready, plan)
            commands.append(command)
            if not command.requests:
                ended.append(command.run)
        return commands, ended, False

    def _retry_plan(self, key: Key, entry: Staged, scope: Scope) -> dict[str, Any] | None:
        """The plan is made when the task first starts; a retry goes on with it."""
        earlier = self._state.runs[entry.retry_of].retry if entry.retry_of is not None else None
        if earlier is not None:
            return earlier | {"tally": earlier["tally"] + 1}
        return rendering.retry_plan(self._spec.tasks[key[0]], scope)

    def _start(self, key: Key, entry: Staged, context: int, ready: rendering.Rendered, plan: dict[str, Any] | None) -> StartTask:
        task, route = key
        run = Run(task, route, context, prev=entry.prev, retry=plan)
        delay_s = _delay_s(run, ready)
        requests = tuple(replace(request, delay_s=delay_s) for request in ready.requests)
        if ready.items is not None:
            run.items, requests = with_items.begin(ready, self._taken_over(entry), delay_s)
        del self._state.staged[key]
        return _start_task(self._state.add_run(run), run, requests)

    def _taken_over(self, entry: Staged) -> Items | None:
        """Items of the run that a rerun takes over; if all of them succeeded they all run again."""
        items = self._state.runs[entry.rerun_of].items if entry.rerun_of is not None else None
        return None if items is None or items.total(frozenset({states.SUCCEEDED})) == items.count else items

    def start_items(self, number: int, run: Run) -> tuple[list[Command], bool]:
        """Start further items of a running task, as far as its concurrency allows; tells whether the workflow has to fail."""
        items = run.items
        assert items is not None
        if items.following >= items.count:
            return [], False
        scope = self._scope_of(run.context, CurrentTask(run.task, run.route))
        requests = []
        try:
            for index in with_items.next_to_start(items):
                assert items.values is not None
                requests.append(rendering.item_request(self._spec.tasks[run.task], scope, items.values[index], index, 0))
                self._state.set_item(number, index, states.REQUESTED)
        except rendering.RENDER_ERRORS as error:
            self._state.log_error(described(error), task=run.task, route=run.route)
            return [], True
        self._state.touch(number)
        return [StartItems(number, tuple(requests))] if requests else [], False

    def again(self, number: int, run: Run) -> StartTask:
        """The start of an active run as it was commanded, for items as far as they are active.

        Raises:
            EvaluationError: an expression gives an error now that it did not give then.
        """
        scope = self._scope_of(run.context, CurrentTask(run.task, run.route))
        ready = rendering.task(self._spec.tasks[run.task], scope)
        delay_s = _delay_s(run, ready)
        items = run.items
        requests = [
            replace(request, delay_s=delay_s if request.item is None or request.delay_s else 0)
            for request in ready.requests
            if items is None or (request.item is not None and request.item < items.count and items.statuses[request.item] in ACTIVE)
        ]
        return _start_task(number, run, tuple(requests))


def _delay_s(run: Run, ready: rendering.Rendered) -> int:
    """A retry waits for its own delay instead of the task's."""
    return int(run.retry["delay"]) if run.retry and run.retry["tally"] else ready.delay_s


def _start_task(number: int, run: Run, requests: tuple[ActionRequest, ...]) -> StartTask:
    items = run.items
    return StartTask(
        run=number,
        task_id=run.task,
        route=run.route,
        requests=requests,
        items=items.count if items else None,
        concurrency=items.concurrency if items else None,
        attempt=run.retry["tally"] if run.retry else 0,
    )
