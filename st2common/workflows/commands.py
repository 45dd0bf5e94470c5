"""What a conductor wants done. Commands are carried out in their order, after the state has been saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One action execution to request.

    Args:
        action: ref.
        input: rendered parameters.
        delay_s: seconds that the execution stays ``delayed`` before it starts; 0 is at once.
        item: index of the with-items item, None for a task without items.
    """

    action: str
    input: dict[str, Any]
    delay_s: int = 0
    item: int | None = None


@dataclass(frozen=True, slots=True)
class StartTask:
    """A task run begins: make its record (task execution) and request its actions.

    Args:
        run: number of the run; all later events name it.
        task_id: the task.
        route: its route.
        requests: actions to request now; none for a task without action or with an empty list of items, which is complete at once.
        items: number of items, None for a task without ``with``.
        concurrency: how many items run at a time, None for all.
        attempt: 0, or which retry this is.
    """

    run: int
    task_id: str
    route: int
    requests: tuple[ActionRequest, ...]
    items: int | None = None
    concurrency: int | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class StartItems:
    """Further items of a running task are to be requested."""

    run: int
    requests: tuple[ActionRequest, ...]


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """The record of a task run gets a new status; a final one also ends it (its result is that of its actions)."""

    run: int
    status: str


@dataclass(frozen=True, slots=True)
class Cascade:
    """A request goes down to the sub-workflows among the children of these runs. Other children are left alone, except that ``cancel`` also
    cancels those that have not started to run.

    Args:
        request: ``pause``, ``resume`` or ``cancel``.
        runs: the runs.
    """

    request: str
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetStatus:
    """The workflow has a new status that is not final: ``running``, ``pausing``, ``paused``, ``resuming`` or ``canceling``."""

    status: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The workflow has its final status and its result. Comes once (and once more after each rerun).

    Args:
        status: ``succeeded``, ``failed`` or ``canceled``.
        output: rendered output, None without any.
        errors: the errors list so far; part of the result only if the status is ``failed``.
    """

    status: str
    output: dict[str, Any] | None
    errors: tuple[dict[str, Any], ...] = ()

    @property
    def result(self) -> dict[str, Any]:
        """The result of the workflow's execution (workflows.md 6.9)."""
        return {"output": self.output} | ({"errors": list(self.errors)} if self.status == "failed" else {})


Command = StartTask | StartItems | TaskChanged | Cascade | SetStatus | Finish
