"""Decisions of policies, from facts alone (execution.md section 6): may this execution start, should it run again?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from st2common import states

CONCURRENCY = "action.concurrency"
CONCURRENCY_BY_ATTRIBUTE = "action.concurrency.attr"
RETRY = "action.retry"


@dataclass(frozen=True)
class Decision:
    """What a policy wants.

    Attributes:
        do: "go", "delay", "cancel" (before a run), "retry" or "leave" (after one).
        reason: for people.
        delay_s: pause before a retry.
    """

    do: str
    reason: str
    delay_s: float = 0.0


def may_start(policy_type: str, settings: Mapping[str, Any], parameters: Mapping[str, Any], active: Iterable[Mapping[str, Any]]) -> Decision:
    """Concurrency: may one more run?

    Args:
        settings: the policy's parameters: ``threshold``, ``action`` (delay or cancel), ``attributes``.
        parameters: stored parameters of the one that wants to start.
        active: stored parameters of every scheduled or running execution of the action.
    """
    if policy_type == CONCURRENCY_BY_ATTRIBUTE:
        names = [name for name in settings.get("attributes", []) if name in parameters]
        count = sum(all(other.get(name) == parameters[name] for name in names) for other in active)
    else:
        count = sum(1 for _ in active)
    threshold = int(settings["threshold"])
    if count < threshold:
        return Decision("go", f"{count} of {threshold} active")
    return Decision("cancel" if settings.get("action") == "cancel" else "delay", f"{count} active, the threshold is {threshold}")


def should_retry(settings: Mapping[str, Any], status: str, retries_so_far: int) -> Decision:
    """Retry: run a finished execution again?

    Args:
        settings: ``retry_on`` (failure or timeout), ``max_retry_count``, ``delay`` (seconds).
        retries_so_far: how many retries led to this execution.
    """
    wanted = {"failure": states.FAILED, "timeout": states.TIMEOUT}.get(str(settings.get("retry_on")))
    if status != wanted:
        return Decision("leave", f"status {status} is not retried")
    limit = int(settings.get("max_retry_count", 2))
    if retries_so_far + 1 > limit:
        return Decision("leave", f"retried {retries_so_far} times, the limit is {limit}")
    return Decision("retry", f"retry {retries_so_far + 1} of {limit}", float(settings.get("delay") or 0))
