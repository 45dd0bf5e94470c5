"""Which variables a definition reads before anything can have assigned them (workflows.md 8, type ``context``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from st2common.expressions.evaluate import language_of
from st2common.workflows import schema
from st2common.workflows.spec import NextSpec, TaskSpec, WorkflowSpec

KNOWN = frozenset({"st2"})
KNOWN_AT_RUN_TIME = KNOWN | {"parent"}

# A name after "ctx()." that is called is a method of the mapping, not a variable.
_REFERENCES = re.compile(r"""\bctx\(\)\.(\w+)\b(?!\s*\()|\bctx\(\s*(?:(\w+)|'(\w+)'|"(\w+)")\s*\)""")

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable read too early: its name, the text that reads it and where that stands."""

    name: str
    language: str | None
    expression: str
    spec_path: str
    schema_path: str


def unassigned(spec: WorkflowSpec, known: Names) -> Iterator[Reference]:
    """Every reference to a variable that nothing before it assigns.

    Args:
        spec: the definition.
        known: variables there are from the start.
    """
    names = set(known)
    for part, pairs in (("input", spec.input), ("vars", spec.vars)):
        for index, (name, value) in enumerate(pairs):
            yield from _unknown(value, names, f"{part}[{_position(spec, part, index)}]", f"properties.{part}")
            names.add(name)
    incoming = _incoming(spec, frozenset(names))
    for task_id in spec.tasks:
        if task_id in incoming:
            yield from _task(spec.tasks[task_id], incoming[task_id])
    everywhere = names | {name for task in spec.tasks.values() for entry in task.next for name, _ in entry.publish}
    for index, (name, value) in enumerate(spec.output):
        yield from _unknown(value, everywhere, f"output[{_position(spec, 'output', index)}]", "properties.output")
        everywhere.add(name)


def _position(spec: WorkflowSpec, part: str, index: int) -> int:
    """Position in the text of the n-th entry of the model: entries that break the schema are not in the model."""
    entries = spec.raw.get(part)
    fitting = [i for i, entry in enumerate(entries if isinstance(entries, list) else ()) if isinstance(entry, (str, dict)) and len(entry) >= 1]
    return fitting[index] if index < len(fitting) else index


def _unknown(value: Any, names: Iterable[str], spec_path: str, schema_path: str) -> Iterator[Reference]:
    if isinstance(value, dict):
        for pair in value.items():
            for part in pair:
                yield from _unknown(part, names, spec_path, schema_path)
    elif isinstance(value, list):
        for entry in value:
            yield from _unknown(entry, names, spec_path, schema_path)
    elif isinstance(value, str):
        language = language_of(value)
        for match in _REFERENCES.finditer(value) if language else ():
            name = next(group for group in match.groups() if group)
            if name not in names:
                yield Reference(name, language, value, spec_path, schema_path)


def _task(task: TaskSpec, names: Names) -> Iterator[Reference]:
    here, there = f"tasks.{task.id}", f"{schema.TASKS}.properties"
    yield from _unknown(task.delay, names, f"{here}.delay", f"{there}.delay")
    if task.with_items:
        yield from _unknown(task.with_items.items, names, f"{here}.with.items", f"{there}.with.properties.items")
        yield from _unknown(task.with_items.concurrency, names, f"{here}.with.concurrency", f"{there}.with.properties.concurrency")
    yield from _unknown(task.action, names, f"{here}.action", f"{there}.action")
    yield from _unknown(task.input, names, f"{here}.input", f"{there}.input")
    for entry in task.next:
        yield from _transition(entry, names, f"{here}.next[{entry.index}]", f"{there}.next.items.properties")


def _transition(entry: NextSpec, names: Names, here: str, there: str) -> Iterator[Reference]:
    yield from _unknown(entry.when, names, f"{here}.when", f"{there}.when")
    seen = set(names)
    for index, (name, value) in enumerate(entry.publish):
        yield from _unknown(value, seen, f"{here}.publish[{index}]", f"{there}.publish")
        seen.add(name)


def _incoming(spec: WorkflowSpec, initial: Names) -> dict[str, Names]:
    """Variables that each reachable task surely has: those of all ways to it, at a join those of any branch.

    A greatest fixed point: every task starts with all names there are and loses what some way to it lacks.
    """
    graph = spec.graph
    published = {(task.id, entry.index): frozenset(name for name, _ in entry.publish) for task in spec.tasks.values() for entry in task.next}
    everything = initial.union(*published.values()) if published else initial
    incoming = {task: everything for task in spec.tasks if task in graph.reachable}
    for task in graph.starts:
        incoming[task] = initial
    changed = True
    while changed:
        changed = False
        for task in incoming:
            branches = [incoming[edge.source] | published[edge.source, edge.index] for edge in graph.inbound.get(task, ()) if edge.source in incoming]
            if not branches:
                continue
            names = frozenset.union(*branches) if task in graph.joins else frozenset.intersection(*branches)
            if names != incoming[task]:
                incoming[task] = names
                changed = True
    return incoming
