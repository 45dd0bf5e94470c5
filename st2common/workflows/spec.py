"""The workflow language as a model: what a definition says, in typed form (workflows.md 2).

``parse`` reads a text. The model is tolerant: parts that break the schema are left out, so that inspection can still look at the rest;
``inspection.inspect`` tells what is wrong. Run only definitions that it finds nothing in.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from st2common.workflows.errors import DefinitionError
from st2common.workflows.graph import Graph, Transition
from st2common.workflows.inline import parse_parameters, split_action
from st2common.workflows.source import Source, load

CONTINUE = "continue"
NOOP = "noop"
FAIL = "fail"
RETRY = "retry"
COMMANDS = frozenset({CONTINUE, NOOP, FAIL})
"""Engine commands that are targets of transitions; ``retry`` is not one, it changes the task (workflows.md 6.4)."""
RESERVED = COMMANDS | {RETRY}

_ITEMS = re.compile(r"^\s*(?:((?:\w+\s*,\s*)*\w+)\s+in\s+)?({{.*?}}|<%.*?%>)\s*$")
_MANUAL_RETRY_COUNT = 3
ALWAYS_RETRY = "<% completed() %>"

Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class WithSpec:
    """``with``: the list expression, the names of an item's parts (empty: none given), and how many items run at a time (None: all)."""

    items: str
    names: tuple[str, ...]
    expression: str
    concurrency: Any = None


@dataclass(frozen=True, slots=True)
class RetrySpec:
    """``retry``: how often, how many seconds between, and under which condition; each may be an expression."""

    count: Any
    delay: Any = None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class NextSpec:
    """One entry of ``next``.

    Args:
        index: its position.
        when: condition; None is always.
        publish: names and expressions in order.
        do: targets without ``retry``.
        retries: whether ``retry`` is among the targets.
    """

    index: int
    when: str | None
    publish: Pairs
    do: tuple[str, ...]
    retries: bool


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task. ``input`` is a mapping, an expression for the whole mapping, or None; ``join`` is ``all``, a number or None."""

    id: str
    action: str | None = None
    input: Any = None
    with_items: WithSpec | None = None
    join: str | int | None = None
    delay: Any = None
    retry: RetrySpec | None = None
    next: tuple[NextSpec, ...] = ()

    def entry(self, index: int) -> NextSpec:
        """The entry of ``next`` that stands at a position of the text."""
        return next(entry for entry in self.next if entry.index == index)


@dataclass(frozen=True)
class WorkflowSpec:
    """A whole definition.

    Args:
        source: the data as written, with the places of its parts.
        raw: the data with shorthands written out (inline action input, ``with`` as text); what the schema is applied to.
        input: names and default expressions in order; a name without default has None.
    """

    source: Source
    raw: dict[str, Any]
    name: str | None = None
    description: str | None = None
    input: Pairs = ()
    vars: Pairs = ()
    output: Pairs = ()
    tasks: dict[str, TaskSpec] = field(default_factory=dict)

    @cached_property
    def graph(self) -> Graph:
        """Tasks and transitions as a graph, engine commands included."""
        edges: dict[str, list[Transition]] = {}
        for task in self.tasks.values():
            parallel: dict[str, int] = {}
            outgoing = []
            for entry in task.next:
                for target in entry.do:
                    number = parallel[target] = parallel.get(target, -1) + 1
                    outgoing.append(Transition(task.id, target, number, entry.index))
            edges[task.id] = sorted(outgoing, key=lambda edge: (edge.target, edge.number))
        joins = {task.id: task.join for task in self.tasks.values() if task.join is not None}
        return Graph(edges, joins)


def parse(text: str) -> WorkflowSpec:
    """Read a definition.

    Raises:
        DefinitionError: the text has no structure to inspect.
    """
    return build(load(text))


@lru_cache(maxsize=256)
def parse_cached(text: str) -> WorkflowSpec:
    """As ``parse``; the model of a text that was read before is shared."""
    return parse(text)


def build(source: Source) -> WorkflowSpec:
    """Make the model of loaded data.

    Raises:
        DefinitionError: ``next`` of a task is not a list.
    """
    raw = _written_out(source)
    tasks = raw.get("tasks")
    tasks = tasks if isinstance(tasks, dict) else {}
    return WorkflowSpec(
        source=source,
        raw=raw,
        name=raw.get("name"),
        description=raw.get("description"),
        input=_inputs(raw.get("input")),
        vars=_pairs(raw.get("vars")),
        output=_pairs(raw.get("output")),
        tasks={name: _task(name, body) for name, body in tasks.items() if isinstance(name, str) and isinstance(body, dict)},
    )


def _written_out(source: Source) -> dict[str, Any]:
    raw = copy.copy(source.data)
    tasks = raw.get("tasks")
    if not isinstance(tasks, dict):
        return raw
    raw["tasks"] = tasks = dict(tasks)
    for name, body in tasks.items():
        if not isinstance(body, dict):
            continue
        tasks[name] = body = dict(body)
        if "next" in body and body["next"] is not None and not isinstance(body["next"], list):
            line, column = source.place(f"tasks.{name}.next")
            raise DefinitionError("The spec is not type of list.", line, column)
        if isinstance(body.get("with"), str):
            body["with"] = {"items": body["with"]}
        if isinstance(body.get("action"), str):
            body["action"], parameters = split_action(body["action"])
            if parameters is not None:
                body["input"] = parameters
    return raw


def _pairs(entries: Any) -> Pairs:
    if not isinstance(entries, list):
        return ()
    return tuple(next(iter(entry.items())) for entry in entries if isinstance(entry, dict) and len(entry) == 1)


def _inputs(entries: Any) -> Pairs:
    if not isinstance(entries, list):
        return ()
    return _pairs([{entry: None} if isinstance(entry, str) else entry for entry in entries])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _task(name: str, body: dict[str, Any]) -> TaskSpec:
    entries = body.get("next")
    transitions = tuple(_next(i, entry) for i, entry in enumerate(entries) if isinstance(entry, dict)) if isinstance(entries, list) else ()
    retry = _retry(body.get("retry"))
    for transition in transitions:
        if transition.retries:
            retry = RetrySpec(_MANUAL_RETRY_COUNT, None, transition.when or ALWAYS_RETRY)
    join = body.get("join")
    return TaskSpec(
        id=name,
        action=_text(body.get("action")),
        input=body.get("input") if isinstance(body.get("input"), (dict, str)) else None,
        with_items=_with(body.get("with")),
        join=join if join == "all" or (isinstance(join, int) and not isinstance(join, bool) and join >= 0) else None,
        delay=body.get("delay"),
        retry=retry,
        next=transitions,
    )


def _with(body: Any) -> WithSpec | None:
    if not isinstance(body, dict) or not isinstance(body.get("items"), str):
        return None
    match = _ITEMS.match(body["items"])
    names, expression = (match.group(1), match.group(2)) if match else (None, body["items"])
    parts = tuple(name.strip() for name in names.split(",")) if names else ()
    return WithSpec(body["items"], parts, expression, body.get("concurrency"))


def _retry(body: Any) -> RetrySpec | None:
    if not isinstance(body, dict) or "count" not in body:
        return None
    return RetrySpec(body["count"], body.get("delay"), _text(body.get("when")))


def _next(index: int, body: dict[str, Any]) -> NextSpec:
    publish = body.get("publish")
    pairs = tuple(parse_parameters(publish)) if isinstance(publish, str) else _pairs(publish)
    do = body.get("do", CONTINUE)
    if isinstance(do, str):
        do = [name.strip() for name in do.split(",")]
    targets = [name for name in do if isinstance(name, str) and name] if isinstance(do, list) else []
    return NextSpec(index, _text(body.get("when")), pairs, tuple(name for name in targets if name != RETRY), RETRY in targets)
