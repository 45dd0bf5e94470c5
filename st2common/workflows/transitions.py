"""How the workflow's status answers to what happens (the table of workflows.md 7.1), as one pure function."""

from __future__ import annotations

from dataclasses import dataclass

from st2common.states import CANCELED, CANCELING, FAILED, FINAL, PAUSED, PAUSING, RESUMING, RUNNING, SUCCEEDED

TASK_DONE = "task done"
"""A task succeeded, or failed and its failure is handled."""
TASK_FAILED = "task failed"
TASK_CANCELED = "task canceled"
TASK_CANCELING = "task canceling"
TASK_PENDING = "task pending"
TASK_PAUSED = "task paused"
TASK_RUNNING = "task running again"
TASK_RETRYING = "task retrying"
PAUSE = "pause"
CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the answer depends on.

    Args:
        active: whether other tasks are active.
        canceled: whether some task is canceled or canceling.
        held: whether some task is paused or pending.
        more: whether something is ready to start.
        remediated: whether the task had failed.
    """

    active: bool
    canceled: bool = False
    held: bool = False
    more: bool = False
    remediated: bool = False


def advance(status: str, event: str, facts: Facts) -> str:
    """The status after an event.

    Args:
        status: the status before.
        event: one of the constants of this module.
        facts: the situation after the event.
    """
    if status in FINAL:
        return status
    if event in (CANCEL, TASK_CANCELED, TASK_CANCELING) or status == CANCELING:
        return CANCELING if facts.active or event == TASK_CANCELING else CANCELED
    if event in (PAUSE, TASK_PENDING):
        return _pausing(facts)
    if event == TASK_PAUSED:
        return _pausing(facts) if status == PAUSING or not facts.active else status
    if event == TASK_RUNNING:
        return RUNNING if status in (PAUSED, RESUMING) else status
    if event == TASK_FAILED:
        return FAILED
    if event == TASK_RETRYING:
        return _pausing(facts) if status == PAUSING else RUNNING
    return _task_done(status, facts)


def _pausing(facts: Facts) -> str:
    return PAUSING if facts.active else PAUSED


def _task_done(status: str, facts: Facts) -> str:
    if facts.canceled:
        if facts.active:
            return PAUSING if status == PAUSING and not facts.remediated else CANCELING
        return CANCELED
    if facts.held or status == PAUSING:
        return _pausing(facts)
    return RUNNING if facts.active or facts.more else SUCCEEDED
