"""Execution statuses, the transition table and the sets that decisions ask for (execution.md section 2)."""

from __future__ import annotations

REQUESTED = "requested"
SCHEDULED = "scheduled"
DELAYED = "delayed"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMEOUT = "timeout"
ABANDONED = "abandoned"
CANCELING = "canceling"
CANCELED = "canceled"
PENDING = "pending"
PAUSING = "pausing"
PAUSED = "paused"
RESUMING = "resuming"

STATUSES: tuple[str, ...] = (
    REQUESTED, SCHEDULED, DELAYED, RUNNING, SUCCEEDED, FAILED, TIMEOUT, ABANDONED,
    CANCELING, CANCELED, PENDING, PAUSING, PAUSED, RESUMING,
)  # fmt: skip
"""Every status, in the order that validation messages show."""

FINAL = frozenset({SUCCEEDED, FAILED, TIMEOUT, CANCELED, ABANDONED})
FAILURES = frozenset({FAILED, TIMEOUT, ABANDONED})
CANCELABLE = frozenset({REQUESTED, SCHEDULED, DELAYED, RUNNING, PAUSING, PAUSED, RESUMING})
ACTIVE = frozenset({SCHEDULED, RUNNING})
"""What counts against a concurrency threshold."""

TRANSITIONS: dict[str, frozenset[str]] = {
    REQUESTED: frozenset({SCHEDULED, DELAYED, CANCELING, CANCELED, FAILED}),
    DELAYED: frozenset({REQUESTED, SCHEDULED, CANCELING, CANCELED, FAILED}),
    SCHEDULED: frozenset({RUNNING, CANCELING, CANCELED, FAILED, ABANDONED}),
    RUNNING: frozenset({SUCCEEDED, FAILED, TIMEOUT, ABANDONED, CANCELING, CANCELED, PENDING, PAUSING, PAUSED}),
    PENDING: frozenset({SUCCEEDED, FAILED, TIMEOUT, CANCELED, CANCELING, ABANDONED}),
    PAUSING: frozenset({PAUSED, RUNNING, SUCCEEDED, FAILED, TIMEOUT, CANCELING, CANCELED, ABANDONED, RESUMING}),
    PAUSED: frozenset({RESUMING, CANCELING, CANCELED, FAILED, ABANDONED, TIMEOUT}),
    RESUMING: frozenset({RUNNING, SUCCEEDED, FAILED, TIMEOUT, CANCELING, CANCELED, PAUSING, PAUSED, ABANDONED}),
    CANCELING: frozenset({CANCELED, FAILED, ABANDONED, TIMEOUT}),
    SUCCEEDED: frozenset(), FAILED: frozenset(), TIMEOUT: frozenset(), CANCELED: frozenset(), ABANDONED: frozenset(),
}  # fmt: skip


def sources(to: str) -> list[str]:
    """Statuses from which ``to`` may be reached, in the order of ``STATUSES`` (the compare part of a compare-and-set)."""
    return [status for status in STATUSES if to in TRANSITIONS[status]]
