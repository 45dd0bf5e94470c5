"""What a task that ended leads to: its transitions, their publishes, the routes and the joins (workflows.md 3.3 and 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from st2common.expressions.evaluate import evaluate
from st2common.expressions.scope import Scope
from st2common.expressions.workflow_errors import described
from st2common.workflows import joins, rendering
from st2common.workflows.graph import Transition
from st2common.workflows.spec import COMMANDS, FAIL, NextSpec, WorkflowSpec
from st2common.workflows.state import Run, Staged, State

Key = tuple[str, int]
_Memory = dict[tuple[str, int], Any]


class Follower:
    """Evaluates transitions and stages what they lead to."""

    def __init__(self, spec: WorkflowSpec, state: State) -> None:
        self._spec = spec
        self._state = state

    def follow(self, number: int, run: Run, scope: Scope) -> tuple[list[Key], bool]:
        """Evaluate all transitions of a run that ended.

        Args:
            number: the run's number.
            run: the run; ``next`` and ``term`` are set.
            scope: with the run as current task and its result.

        Returns:
            The engine commands that were reached, in order, and whether an expression failed (so the workflow has to).
        """
        edges = self._spec.graph.outgoing.get(run.task, ())
        if not edges:
            run.term = True
            return [], False
        staged: list[Key] = []
        memory: _Memory = {}
        failed = False
        for edge in edges:
            key, erred = self._take(number, run, edge, scope, memory)
            failed = failed or erred
            if key is not None and key not in staged:
                staged.append(key)
        for key in staged:
            entry = self._state.staged[key]
            entry.ready = entry.ready or joins.is_satisfied(self._spec.graph, self._state, key)
        commands = [key for key in staged if key[0] in COMMANDS]
        if any(task == FAIL for task, _ in commands):
            for key in staged:
                if key[0] not in COMMANDS and self._state.staged[key].ready:
                    self._state.staged[key].on_fail = True
        if staged:
            self._state.change_staged()
        return commands, failed

    def _take(self, number: int, run: Run, edge: Transition, scope: Scope, memory: _Memory) -> tuple[Key | None, bool]:
        """One transition: what it staged, and whether an expression failed.

        ``memory`` keeps the values of an entry of ``next`` with several targets: it is evaluated once, its errors are told for each.
        """
        entry = self._spec.tasks[run.task].entry(edge.index)
        satisfied, error = _once(memory, ("when", edge.index), lambda: _condition(entry, scope))
        run.next[edge.id] = satisfied
        if error is not None:
            self._log(run, edge, error)
        if not satisfied:
            return None, error is not None
        values, errors = _once(memory, ("publish", edge.index), lambda: rendering.publish(entry, scope))
        for message in errors:
            self._log(run, edge, message)
        if errors:
            run.next[edge.id] = False
            return None, True
        context = self._state.contexts.extend(run.context, values) if values else run.context
        return self._stage(number, edge, self._route_of(edge, run.route), context), False

    def _log(self, run: Run, edge: Transition, message: str) -> None:
        self._state.log_error(message, task=run.task, route=run.route, transition=edge.id)

    def _route_of(self, edge: Transition, route: int) -> int:
        """Route of the target: a split reached by a new transition opens one (workflows.md 6.3)."""
        if edge.target not in self._spec.graph.splits:
            return route
        routes = self._state.routes
        if edge.inbound_id in routes[route]:
            return route
        wanted = [*routes[route], edge.inbound_id]
        if wanted in routes:
            return routes.index(wanted)
        routes.append(wanted)
        self._state.change()
        return len(routes) - 1

    def _stage(self, number: int, edge: Transition, route: int, context: int) -> Key:
        key = (edge.target, route)
        arrival = [number, edge.inbound_id]
        entry = self._state.staged.get(key)
        if entry is None:
            self._state.staged[key] = Staged([context], [arrival], ready=edge.target not in self._spec.graph.joins)
        else:
            entry.contexts.append(context)
            entry.prev.append(arrival)
        return key


def _once(memory: _Memory, key: tuple[str, int], compute: Callable[[], Any]) -> Any:
    if key not in memory:
        memory[key] = compute()
    return memory[key]


def _condition(entry: NextSpec, scope: Scope) -> tuple[bool, str | None]:
    if entry.when is None:
        return True, None
    try:
        return bool(evaluate(entry.when, scope)), None
    except rendering.RENDER_ERRORS as error:
        return False, described(error)
