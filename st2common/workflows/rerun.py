"""Going on with a completed workflow from some of its tasks (workflows.md 7.4)."""

from __future__ import annotations

from collections.abc import Sequence

from st2common import states
from st2common.workflows.errors import RerunRefused
from st2common.workflows.graph import Graph
from st2common.workflows.spec import COMMANDS
from st2common.workflows.state import Staged, State


def restart(graph: Graph, state: State, tasks: Sequence[str], reset: Sequence[str]) -> None:
    """Stage the tasks again, each on every route it ran on, with the contexts they had.

    What had been reached through the superseded runs is forgotten; arrivals of other branches at joins stay.

    Args:
        graph: of the definition.
        state: of the completed workflow; changed.
        tasks: ids; empty means every failed task.
        reset: those whose items all run again.

    Raises:
        RerunRefused: the workflow is not completed, or a task has not run.
    """
    if state.status not in (states.SUCCEEDED, states.FAILED, states.CANCELED):
        raise RerunRefused("Unable to rerun workflow because it is not in a completed state.")
    chosen = _chosen(graph, state, tasks)
    if not chosen:
        raise RerunRefused("Unable to rerun workflow because there are no failed tasks.")
    superseded = _descendants(state, set(chosen))
    for number in superseded:
        state.runs[number].term = False
        if number in state.active or number in state.held:
            state.set_status(number, states.CANCELED)  # whatever it still brings belongs to the past
        state.touch(number)
    _forget(state, superseded)
    for number in chosen:
        run = state.runs[number]
        keep = run.items is not None and run.task not in reset
        state.staged[run.task, run.route] = Staged([run.context], run.prev, ready=True, rerun_of=number if keep else None)
    state.first_run = state.runs_made
    state.pause_requested = False
    state.finished = False
    state.change_staged()
    state.change()


def _chosen(graph: Graph, state: State, tasks: Sequence[str]) -> list[int]:
    latest = {key: number for key, number in state.latest.items() if key[0] not in COMMANDS}
    if not tasks:
        return sorted(number for number in latest.values() if state.runs[number].status == states.FAILED)
    ran = {task for task, _ in latest}
    unknown = [task for task in dict.fromkeys(tasks) if task not in ran]
    if unknown:
        raise RerunRefused(f"Unable to rerun workflow because one or more tasks is not found: {','.join(sorted(unknown))}")
    first = {task for task in tasks if not any(task in graph.after(other) and other not in graph.after(task) for other in tasks if other != task)}
    return sorted(number for (task, _), number in latest.items() if task in first)


def _descendants(state: State, numbers: set[int]) -> set[int]:
    """These runs and all that followed from them."""
    found = set(numbers)
    for number, run in sorted(state.runs.items()):
        if any(before in found for before, _ in run.prev):
            found.add(number)
    return found


def _forget(state: State, superseded: set[int]) -> None:
    for key, entry in list(state.staged.items()):
        kept = [(context, arrival) for context, arrival in zip(entry.contexts, entry.prev, strict=False) if arrival[0] not in superseded]
        if len(entry.contexts) != len(entry.prev) or len(kept) == len(entry.prev):
            if entry.prev and all(arrival[0] in superseded for arrival in entry.prev):
                del state.staged[key]
            continue
        if kept:
            entry.contexts = [context for context, _ in kept]
            entry.prev = [arrival for _, arrival in kept]
        else:
            del state.staged[key]
