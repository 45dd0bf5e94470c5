"""The graph of a workflow: tasks, transitions, where it starts, what lies on a cycle, what splits (workflows.md 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Transition:
    """An edge.

    Args:
        source: task that ends.
        target: task or engine command that may start.
        number: counts parallel transitions between the same two, from 0.
        index: position in the source's ``next``.
    """

    source: str
    target: str
    number: int
    index: int

    @property
    def id(self) -> str:
        """Name of the transition seen from its source: ``<target>__t<n>``."""
        return f"{self.target}__t{self.number}"

    @property
    def inbound_id(self) -> str:
        """Name of the transition seen from its target: ``<source>__t<n>``; routes are lists of these."""
        return f"{self.source}__t{self.number}"


class Graph:
    """Edges with the questions that inspection and conductor ask.

    Args:
        outgoing: transitions of each defined task, sorted by target, then number.
        joins: ``all`` or a number for each task with a join.
    """

    def __init__(self, outgoing: Mapping[str, list[Transition]], joins: Mapping[str, str | int]) -> None:
        self.outgoing = outgoing
        self.joins = joins

    @cached_property
    def starts(self) -> list[str]:
        """Tasks that no transition points to, sorted."""
        pointed = {edge.target for edges in self.outgoing.values() for edge in edges}
        return sorted(task for task in self.outgoing if task not in pointed)

    @cached_property
    def reachable(self) -> frozenset[str]:
        """Everything that can be reached from the start, undefined targets included."""
        return frozenset(self.starts) | self._closure(self.starts)

    @cached_property
    def inbound(self) -> dict[str, list[Transition]]:
        """Transitions into each task, from tasks that can run at all."""
        into: dict[str, list[Transition]] = {}
        for source, edges in self.outgoing.items():
            if source in self.reachable:
                for edge in edges:
                    into.setdefault(edge.target, []).append(edge)
        return into

    @cached_property
    def cyclic(self) -> frozenset[str]:
        """Tasks that can lead to themselves."""
        return frozenset(task for task in self.outgoing if task in self.after(task))

    @cached_property
    def splits(self) -> frozenset[str]:
        """Tasks with several inbound transitions, no join and on no cycle: each arrival runs them on a route of its own."""
        return frozenset(task for task, edges in self.inbound.items() if len(edges) > 1 and task not in self.joins and task not in self.cyclic)

    @cached_property
    def _after(self) -> dict[str, frozenset[str]]:
        return {}

    def after(self, task: str) -> frozenset[str]:
        """Tasks that can follow a task, itself only if it is on a cycle."""
        known = self._after.get(task)
        if known is None:
            known = self._after[task] = frozenset(self._closure([task]))
        return known

    def _closure(self, tasks: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        todo = list(tasks)
        while todo:
            for edge in self.outgoing.get(todo.pop(), ()):
                if edge.target not in seen:
                    seen.add(edge.target)
                    todo.append(edge.target)
        return seen

    def barrier(self, task: str) -> int | None:
        """How many distinct inbound tasks a join waits for; None for a task without join."""
        join = self.joins.get(task)
        if join is None:
            return None
        return len({edge.source for edge in self.inbound.get(task, ())}) if join == "all" else max(int(join), 1)

    @cached_property
    def split_sets(self) -> dict[str, frozenset[str]]:
        """For each task the splits on the ways to it, itself included."""
        sets: dict[str, set[str]] = {task: ({task} if task in self.splits else set()) for task in self.outgoing}
        changed = True
        while changed:
            changed = False
            for source, edges in self.outgoing.items():
                if source not in self.reachable:
                    continue
                for edge in edges:
                    if edge.target in sets and not sets[source] <= sets[edge.target]:
                        sets[edge.target] |= sets[source]
                        changed = True
        return {task: frozenset(names) for task, names in sets.items()}

    def ambiguous_joins(self) -> list[str]:
        """Joins of which one branch went through other splits than the join itself: it is undecidable at which level they join."""
        flagged = []
        for task in self.joins:
            if task in self.reachable and any(
                self.split_sets[edge.source] != self.split_sets[task] for edge in self.inbound.get(task, ()) if edge.source in self.split_sets
            ):
                flagged.append(task)
        return flagged
