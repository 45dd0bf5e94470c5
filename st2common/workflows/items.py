"""Tasks with items: which start, and what the task's status is (workflows.md 6.8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from st2common import states
from st2common.workflows.commands import ActionRequest
from st2common.workflows.rendering import Rendered
from st2common.workflows.state import ACTIVE, Items


def begin(ready: Rendered, earlier: Items | None, delay_s: int) -> tuple[Items, tuple[ActionRequest, ...]]:
    """Progress of a task that starts, and the requests of its first items.

    Args:
        ready: the rendered task.
        earlier: on a rerun without reset the progress of the run before; its succeeded items do not run again.
        delay_s: seconds for the items that start first.
    """
    assert ready.items is not None
    count = len(ready.items)
    items = Items(count, ready.concurrency, statuses=[None] * count, values=ready.items)
    if earlier is not None:
        for index, status in enumerate(earlier.statuses[:count]):
            if status == states.SUCCEEDED:
                items.set(index, status)
    requests = []
    for index in next_to_start(items):
        items.set(index, states.REQUESTED)
        requests.append(replace(ready.requests[index], delay_s=delay_s))
    if items.following >= count:
        items.values = None
    return items, tuple(requests)


def next_to_start(items: Items) -> Iterator[int]:
    """Items that may start now, in order. Set each one's status before asking for the next."""
    while items.following < items.count:
        if items.concurrency is not None and items.total(ACTIVE) >= items.concurrency:
            return
        index = items.following
        items.following += 1
        if items.statuses[index] is None:
            yield index


def status_of(items: Items, workflow_status: str) -> str:
    """Status of the task, from its items and what the workflow is about to do."""
    if items.total(ACTIVE):
        return workflow_status if workflow_status in (states.PAUSING, states.CANCELING) else states.RUNNING
    if items.total(frozenset({states.CANCELED})):
        return states.CANCELED
    if items.total(states.FAILURES):
        return states.FAILED
    for status in (states.PENDING, states.PAUSED):
        if items.total(frozenset({status})):
            return status
    if items.total(frozenset({states.SUCCEEDED})) == items.count:
        return states.SUCCEEDED
    if workflow_status in (states.CANCELING, states.CANCELED):
        return states.CANCELED
    if workflow_status in (states.PAUSING, states.PAUSED):
        return states.PAUSED
    return states.RUNNING if workflow_status in (states.RUNNING, states.RESUMING) else states.FAILED
