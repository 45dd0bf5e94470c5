"""What earlier runs produced, as expressions see it: ``result()``, ``task()`` and ``task_status()`` (workflows.md 4.3).

The state holds no results; they lie with the executions. Those that came with the events at hand are known, others are read on demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from st2common.expressions.scope import DatastoreReader, seen_from
from st2common.workflows import events
from st2common.workflows.spec import WorkflowSpec
from st2common.workflows.state import State


class ResultReader(Protocol):
    """Gives back what the actions of earlier runs produced. Asked only if an expression or an error entry wants it."""

    def result(self, run: int, item: int | None) -> Any:
        """Result of the run's action (of that item), None if there is none."""

    def results(self, run: int, items: Sequence[int]) -> Mapping[int, Any]:
        """Results of several items of a run; those without one may be absent."""

    def record(self, run: int) -> Mapping[str, Any]:
        """``task_execution_id, workflow_execution_id, start_timestamp, end_timestamp`` for ``task()``; timestamps as text, ``"None"`` if open."""


class NoResults:
    """A reader that knows nothing."""

    def result(self, run: int, item: int | None) -> Any:
        """Nothing."""
        return None

    def results(self, run: int, items: Sequence[int]) -> Mapping[int, Any]:
        """Nothing."""
        return {}

    def record(self, run: int) -> Mapping[str, Any]:
        """Nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Means:
    """What a conductor may ask while it thinks. Both only read what is already stored.

    Args:
        results: results of earlier runs.
        datastore: reader for ``st2kv()``, bound to the running user.
    """

    results: ResultReader = field(default_factory=NoResults)
    datastore: DatastoreReader | None = None


class RunResults:
    """Results and records of the runs of one workflow; the task table of its expressions."""

    def __init__(self, spec: WorkflowSpec, state: State, reader: ResultReader) -> None:
        self._spec = spec
        self._state = state
        self._reader = reader
        self._known: dict[tuple[int, int | None], Any] = {}

    def learn(self, run: int, item: int | None, result: Any) -> None:
        """A result that came with an event; known until ``forget``. One that was left out (``UNREAD``) is read when somebody asks."""
        if result is events.UNREAD:
            self._known.pop((run, item), None)
        else:
            self._known[run, item] = result

    def forget(self) -> None:
        """The events at hand have been handled; from now on the stored results count."""
        self._known.clear()

    def of_action(self, run: int, item: int | None) -> Any:
        """Result of a run's action or item."""
        if (run, item) not in self._known:
            self._known[run, item] = self._reader.result(run, item)
        return self._known[run, item]

    def of_task(self, number: int) -> Any:
        """What ``result()`` gives: the action's result, or the list of the items' results (null for those that never ran)."""
        run = self._state.runs[number]
        if run.items is not None:
            return self._of_items(number, [item for item, status in enumerate(run.items.statuses) if status is not None], run.items.count)
        spec = self._spec.tasks.get(run.task)
        return self.of_action(number, None) if spec is not None and spec.action is not None else None

    def _of_items(self, number: int, started: list[int], count: int) -> list[Any]:
        """Results of all items; those not known are read at once."""
        unknown = [item for item in started if (number, item) not in self._known]
        if unknown:
            self._known |= {(number, item): result for item, result in self._reader.results(number, unknown).items()}
        return [self._known.get((number, item)) for item in range(count)]

    # --- the task table

    def status(self, task_id: str, route: int) -> str | None:
        """Last status of a task seen from a route, None if it has not run."""
        number = self._find(task_id, route)
        return None if number is None else self._state.runs[number].status

    def record(self, task_id: str, route: int) -> dict[str, Any] | None:
        """The record of ``task()``, None if the task has not run."""
        number = self._find(task_id, route)
        if number is None:
            return None
        run = self._state.runs[number]
        record = {"task_execution_id": None, "workflow_execution_id": None, "start_timestamp": "None", "end_timestamp": "None"}
        record |= self._reader.record(number)
        # Status and result are better known here: the task's record is written after this step.
        return record | {
            "task_id": run.task,
            "task_name": run.task,
            "route": run.route,
            "status": run.outcome or run.status,
            "result": self._recorded_result(number),
        }

    def _find(self, task_id: str, route: int) -> int | None:
        for near in seen_from(self._state.routes, route):
            number = self._state.latest.get((task_id, near))
            if number is not None:
                return number
        return None

    def _recorded_result(self, number: int) -> Any:
        results = self.of_task(number)
        items = self._state.runs[number].items
        if items is None:
            return results
        return {"items": [{"status": status, "result": result} for status, result in zip(items.statuses, results, strict=True)]}
