"""Workflows as nodes and edges, ready to be drawn: of a definition, and of a run with the state of each task. Pure.

A node has ``id``, ``task``, ``type`` (``task``, ``command`` or ``undefined``), ``action``, ``join`` and ``with``, and for a run ``status`` (of the
task's latest run, None if it was not reached), ``execution_id`` (of the latest), ``execution_ids`` (of all) and ``runs``. An edge has
``source``, ``target``, ``condition``, ``publish`` (names), and for a run ``taken``: whether any run of the source took it, None while none has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from st2common import states
from st2common.workflows.chain import ChainSpec
from st2common.workflows.graph import Transition
from st2common.workflows.spec import COMMANDS, CONTINUE, WorkflowSpec
from st2common.workflows.state import Run, State

Picture = dict[str, list[dict[str, Any]]]
ChildrenOf = Callable[[int], Sequence[Mapping[str, Any]]]
"""Number of a run -> its child executions in order: ``id`` and ``status``."""


def of_definition(spec: WorkflowSpec) -> Picture:
    """Nodes and edges of a definition, tasks in the order of the text."""
    nodes = {name: _task_node(spec, name) for name in spec.tasks}
    edges = []
    for transitions in spec.graph.outgoing.values():
        for transition in sorted(transitions, key=lambda edge: edge.index):
            edge = _edge(spec, transition)
            if edge is not None:
                nodes.setdefault(edge["target"], _other_node(edge["target"], transition.target))
                edges.append(edge)
    return {"nodes": list(nodes.values()), "edges": edges}


def of_run(spec: WorkflowSpec, state: State, children: ChildrenOf) -> Picture:
    """The same with what has happened."""
    picture = of_definition(spec)
    runs: dict[str, list[tuple[int, Run]]] = {}
    for number, run in sorted(state.runs.items()):
        runs.setdefault(run.task, []).append((number, run))
    for node in picture["nodes"]:
        own = runs.get(node["task"], [])
        if node["type"] == "command":
            own = [(number, run) for number, run in own if any(state.runs[prev].task == node["source"] for prev, _ in run.prev if prev in state.runs)]
        node |= _state_of(own, children)
    for edge in picture["edges"]:
        ended = [run for _, run in runs.get(edge["source"], []) if run.next]
        edge["taken"] = any(run.next.get(edge["transition"]) for run in ended) if ended else None
    return picture


def of_chain(spec: ChainSpec, rows: Sequence[Mapping[str, Any]] | None = None) -> Picture:
    """Nodes and edges of an action chain.

    Args:
        rows: for a run, its tasks so far in order: ``name``, ``execution_id`` and ``state``.
    """
    nodes: dict[str, dict[str, Any]] = {node.name: {"id": node.name, "task": node.name, "type": "task", "action": node.ref} for node in spec.nodes}
    edges: list[dict[str, Any]] = []
    for node in spec.nodes:
        for condition, target in (("on-success", node.on_success), ("on-failure", node.on_failure)):
            if target:
                nodes.setdefault(target, _other_node(target, target))
                edges.append({"source": node.name, "target": target, "condition": condition, "publish": sorted(node.publish or {})})
    if rows is None:
        return {"nodes": list(nodes.values()), "edges": edges}
    steps = {(before["name"], after["name"], _outcome(before["state"])) for before, after in zip(rows, rows[1:], strict=False)}
    for name, found in nodes.items():
        own = [row for row in rows if row["name"] == name]
        found |= {
            "status": own[-1]["state"] if own else None, "execution_id": own[-1]["execution_id"] if own else None,
            "execution_ids": [row["execution_id"] for row in own],
        }  # fmt: skip
    ended = {row["name"] for row in rows if row["state"] in states.FINAL}
    for edge in edges:
        edge["taken"] = (edge["source"], edge["target"], edge["condition"]) in steps if edge["source"] in ended else None
    return {"nodes": list(nodes.values()), "edges": edges}


def _outcome(status: str) -> str:
    return "on-success" if status == states.SUCCEEDED else "on-failure"


def _task_node(spec: WorkflowSpec, name: str) -> dict[str, Any]:
    task = spec.tasks[name]
    node: dict[str, Any] = {"id": name, "task": name, "type": "task", "action": task.action}
    if task.join is not None:
        node["join"] = task.join
    if task.with_items is not None:
        node["with"] = task.with_items.items
    return node


def _other_node(id: str, name: str) -> dict[str, Any]:
    """An engine command (one node for each task that leads to it), or a target that nobody defined."""
    if name in COMMANDS:
        return {"id": id, "task": name, "type": "command", "source": id.partition(".")[0]}
    return {"id": id, "task": name, "type": "undefined"}


def _edge(spec: WorkflowSpec, transition: Transition) -> dict[str, Any] | None:
    """None for an end of a branch that is not worth drawing: ``continue`` without a condition."""
    entry = spec.tasks[transition.source].entry(transition.index)
    if transition.target == CONTINUE and entry.when is None:
        return None
    target = f"{transition.source}.{transition.target}" if transition.target in COMMANDS else transition.target
    return {
        "source": transition.source, "target": target, "condition": entry.when, "publish": [name for name, _ in entry.publish],
        "transition": transition.id,
    }  # fmt: skip


def _state_of(runs: Sequence[tuple[int, Run]], children: ChildrenOf) -> dict[str, Any]:
    told = [_run_form(number, run, children(number)) for number, run in runs]
    ids = [id for one in told for id in one["execution_ids"]]
    return {"status": told[-1]["status"] if told else None, "execution_id": ids[-1] if ids else None, "execution_ids": ids, "runs": told}


def _run_form(number: int, run: Run, children: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One run: a plain task is as its execution is, one with items as the conductor sees it."""
    status = run.outcome or run.status
    if run.items is None and children and status not in states.FINAL:
        status = children[-1]["status"]
    form: dict[str, Any] = {"run": number, "route": run.route, "status": status, "execution_ids": [str(child["id"]) for child in children]}
    if run.items is not None:
        form["items"] = {"count": run.items.count, **{name: count for name, count in sorted(run.items.counts.items()) if count}}
    return form
