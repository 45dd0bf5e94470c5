"""What happens to a workflow: the only things that move a conductor. Events are plain data; delivering one twice is harmless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


class _Unread:
    def __repr__(self) -> str:
        return "UNREAD"


UNREAD: Final = _Unread()
"""The event does not carry the result; the conductor asks its result reader if an expression or an error entry needs it."""


@dataclass(frozen=True, slots=True)
class Started:
    """The workflow begins: inputs are rendered, the first tasks start."""


@dataclass(frozen=True, slots=True)
class ActionChanged:
    """The action execution of a task, or of one item of it, has a new status.

    Args:
        run: number of the task run, from ``StartTask`` (not the task's name: a task may run many times).
        status: any execution status; ``timeout`` and ``abandoned`` make the task ``failed``.
        result: the action's result once it ended; ``UNREAD`` to have it read on demand.
        item: index of the with-items item, None for a task without items.
    """

    run: int
    status: str
    result: Any = UNREAD
    item: int | None = None


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """An action could not be requested (unknown action, bad parameter): the workflow fails without asking the task's transitions.

    Args:
        run: the run.
        message: ``Class: text``.
        unrequested: later runs of the same answer that were not requested any more.
        item: the item, for a task with items.
    """

    run: int
    message: str
    unrequested: tuple[int, ...] = ()
    item: int | None = None


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Somebody wants the workflow to pause: nothing new starts; it is paused once the running actions ended."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """Somebody wants a pausing or paused workflow to go on."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the workflow to be canceled: nothing new starts; it is canceled once the running actions ended."""


@dataclass(frozen=True, slots=True)
class RerunRequested:
    """A completed workflow goes on from some of its tasks.

    Args:
        tasks: ids; empty means every failed task.
        reset: those of them whose with-items start over with all items, instead of only the failed ones.
    """

    tasks: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The workflow is to fail for a reason outside of the language (found hanging by a sweeper, for example).

    Args:
        message: for the errors list.
    """

    message: str


Event = Started | ActionChanged | RequestFailed | PauseRequested | ResumeRequested | CancelRequested | RerunRequested | Failed
