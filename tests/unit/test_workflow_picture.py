"""Graphs of definitions and of runs."""

from __future__ import annotations

from typing import Any

from st2common.workflows import chain, events, picture
from st2common.workflows.conductor import Conductor
from st2common.workflows.spec import parse

TEXT = """\
version: 1.0
tasks:
  first:
    action: core.noop
    next:
      - when: <% succeeded() %>
        publish: [{x: 1}]
        do: [left, right]
      - when: <% failed() %>
        do: fail
  left:
    action: core.noop
    next: [{do: both}]
  right:
    with: n in <% [1, 2] %>
    action: core.noop
    next: [{do: both}, {publish: [{y: 2}]}]
  both:
    join: all
    action: core.noop
"""


def _nodes(graph: picture.Picture) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in graph["nodes"]}


def _taken(graph: picture.Picture) -> dict[tuple[str, str], bool | None]:
    return {(edge["source"], edge["target"]): edge["taken"] for edge in graph["edges"]}


def test_definition() -> None:
    graph = picture.of_definition(parse(TEXT))
    nodes = _nodes(graph)
    assert list(nodes) == ["first", "left", "right", "both", "first.fail"]
    assert nodes["both"]["join"] == "all" and nodes["right"]["with"] == "n in <% [1, 2] %>"
    assert nodes["first.fail"]["type"] == "command" and nodes["first.fail"]["task"] == "fail"
    edges = [(edge["source"], edge["target"], edge["condition"], edge["publish"]) for edge in graph["edges"]]
    assert edges == [
        ("first", "left", "<% succeeded() %>", ["x"]),
        ("first", "right", "<% succeeded() %>", ["x"]),
        ("first", "first.fail", "<% failed() %>", []),
        ("left", "both", None, []),
        ("right", "both", None, []),
    ], "an end of a branch without a condition is not drawn"


def test_undefined_target() -> None:
    graph = picture.of_definition(parse("version: 1.0\ntasks:\n  a: {action: core.noop, next: [{do: b}]}\n"))
    assert _nodes(graph)["b"]["type"] == "undefined"


def test_run() -> None:
    spec = parse(TEXT)
    conductor = Conductor.start(spec, {}, {})
    children: dict[int, list[dict[str, Any]]] = {0: [{"id": "a0", "status": "running"}]}

    def graph() -> picture.Picture:
        return picture.of_run(spec, conductor.state, lambda number: children.get(number, []))

    conductor.handle([events.Started()])
    assert _nodes(graph())["first"]["status"] == "running" and _nodes(graph())["left"]["status"] is None
    assert set(_taken(graph()).values()) == {None}
    conductor.handle([events.ActionChanged(0, "succeeded", {})])
    children |= {1: [{"id": "a1", "status": "scheduled"}], 2: [{"id": "a2", "status": "succeeded"}, {"id": "a3", "status": "running"}]}
    conductor.handle([events.ActionChanged(2, "succeeded", {}, 0)])
    nodes = _nodes(graph())
    assert nodes["left"]["status"] == "scheduled", "a plain task is as its execution is"
    assert nodes["right"]["runs"][0]["items"] == {"count": 2, "requested": 1, "succeeded": 1}
    assert nodes["right"]["execution_ids"] == ["a2", "a3"] and nodes["right"]["execution_id"] == "a3"
    assert _taken(graph())["first", "left"] is True and _taken(graph())["first", "first.fail"] is False
    assert _taken(graph())["left", "both"] is None


def test_command_of_a_run() -> None:
    spec = parse(TEXT)
    conductor = Conductor.start(spec, {}, {})
    conductor.handle([events.Started(), events.ActionChanged(0, "failed", {})])
    graph = picture.of_run(spec, conductor.state, lambda number: [])
    assert _nodes(graph)["first.fail"]["status"] == "failed"
    assert _taken(graph)["first", "first.fail"] is True


def test_chain() -> None:
    text = "chain:\n  - {name: a, ref: core.noop, on-success: b, on-failure: c}\n  - {name: b, ref: core.noop}\n  - {name: c, ref: core.noop}\n"
    spec = chain.parse(text)
    rows = [{"name": "a", "execution_id": "1", "state": "succeeded"}, {"name": "b", "execution_id": "2", "state": "running"}]
    graph = picture.of_chain(spec, rows)
    assert _taken(graph) == {("a", "b"): True, ("a", "c"): False}
    assert {id: node["status"] for id, node in _nodes(graph).items()} == {"a": "succeeded", "b": "running", "c": None}
    assert [edge["condition"] for edge in picture.of_chain(spec)["edges"]] == ["on-success", "on-failure"]
