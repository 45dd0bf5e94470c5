"""When a join may run, and when it never will (workflows.md 6.5). Pure questions to graph and state."""

from __future__ import annotations

from collections.abc import Iterator

from st2common.workflows.graph import Graph
from st2common.workflows.state import Staged, State

Key = tuple[str, int]


def is_satisfied(graph: Graph, state: State, key: Key) -> bool:
    """Whether enough distinct inbound tasks have arrived at a staged join, on its route.

    Arrivals of an earlier round (a run that an earlier run of the join already took) count as well, unless that inbound task may still
    come again: that is how a branch that is late for ``join: N`` starts the join once more, how a rerun passes a join whose other
    branches are not rerun, and why a join on a cycle waits for all its branches in every round.
    """
    task, route = key
    barrier = graph.barrier(task)
    if barrier is None:
        return True
    arrived = _arrived(state, state.staged[key])
    if len(arrived) >= barrier:
        return True
    for edge in graph.inbound.get(task, ()):
        number = state.latest.get((edge.source, route))
        if edge.source in arrived or number is None or not state.runs[number].next.get(edge.id):
            continue
        if not _may_come(graph, state, edge.source, key):
            arrived.add(edge.source)
    return len(arrived) >= barrier


def unreachable(graph: Graph, state: State) -> Iterator[Key]:
    """Joins that some branch has reached and whose missing branches cannot come any more."""
    for key in sorted(state.staged):
        entry = state.staged[key]
        if entry.ready or key[0] not in graph.joins:
            continue
        missing = {edge.source for edge in graph.inbound[key[0]]} - _arrived(state, entry)
        if not any(_may_come(graph, state, source, key) for source in missing):
            yield key


def _arrived(state: State, entry: Staged) -> set[str]:
    return {state.runs[number].task for number, _ in entry.prev}


def _may_come(graph: Graph, state: State, task: str, join: Key) -> bool:
    """Whether something that is under way, other than the join itself, can still lead to a task on the join's route."""
    own = set(state.routes[join[1]])
    under_way = [(state.runs[n].task, state.runs[n].route) for n in state.active | state.held]
    under_way += [key for key in state.staged if key != join]
    return any((name == task or task in graph.after(name)) and own.issuperset(state.routes[route]) for name, route in under_way)
