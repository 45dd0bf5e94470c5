"""Workflow graphs as text and as Mermaid flowcharts."""

from __future__ import annotations

import re
from typing import Any

from st2client.utils import color

Graph = dict[str, Any]
"""`nodes`: id, task, status, type, execution_id; `edges`: source, target, condition, do."""


def _name(node: dict[str, Any]) -> str:
    return node.get("task") or node["id"]


def _condition(edge: dict[str, Any]) -> str:
    condition = edge.get("condition")
    if isinstance(condition, list):
        condition = " and ".join(str(item) for item in condition)
    return str(condition) if condition else ""


def to_text(graph: Graph) -> str:
    """One line per task with its state, followed by the lines that leave it.

    A task that several lines lead to is drawn once and referred to afterwards, so that joins and cycles end.
    """
    nodes = {node["id"]: node for node in graph["nodes"]}
    outgoing: dict[str, list[dict[str, Any]]] = {}
    for edge in graph["edges"]:
        outgoing.setdefault(edge["source"], []).append(edge)
    targets = {edge["target"] for edge in graph["edges"]}
    roots = [id for id in nodes if id not in targets] or list(nodes)[:1]
    lines: list[str] = []
    drawn: set[str] = set()
    for root in roots:
        _draw(root, "", "", nodes, outgoing, drawn, lines)
    for id in nodes:
        if id not in drawn:  # a cycle nothing leads into
            _draw(id, "", "", nodes, outgoing, drawn, lines)
    return "\n".join(lines)


def _draw(
    id: str,
    lead: str,
    indent: str,
    nodes: dict[str, dict[str, Any]],
    outgoing: dict[str, list[dict[str, Any]]],
    drawn: set[str],
    lines: list[str],
) -> None:
    node = nodes.get(id, {"id": id})
    label = color.paint(_name(node), color.NAME)
    if node.get("status"):
        label += f" [{color.paint_status(node['status'])}]"
    if node.get("type") and node["type"] not in ("task", "action"):
        label += f" ({node['type']})"
    if id in drawn:
        lines.append(f"{lead}{label} …")
        return
    drawn.add(id)
    lines.append(lead + label + (f" {node['execution_id']}" if node.get("execution_id") else ""))
    edges = outgoing.get(id, [])
    for index, edge in enumerate(edges):
        last = index == len(edges) - 1
        condition = _condition(edge)
        arrow = f"{indent}{'└' if last else '├'}─{f' {condition} ' if condition else ''}→ "
        _draw(edge["target"], arrow, indent + ("   " if last else "│  "), nodes, outgoing, drawn, lines)


_CLASSES = {
    "succeeded": "fill:#d4edda,stroke:#28a745",
    "failed": "fill:#f8d7da,stroke:#dc3545",
    "timeout": "fill:#f8d7da,stroke:#dc3545",
    "abandoned": "fill:#f8d7da,stroke:#dc3545",
    "running": "fill:#fff3cd,stroke:#ffc107",
    "canceled": "fill:#e2e3e5,stroke:#6c757d",
}


def to_mermaid(graph: Graph) -> str:
    """Mermaid flowchart, tasks coloured by state."""
    keys = {node["id"]: f"n{index}" for index, node in enumerate(graph["nodes"])}
    lines = ["flowchart TD"]
    for node in graph["nodes"]:
        status = node.get("status")
        label = _escaped(_name(node)) + (f"<br/>{status}" if status else "")
        style = f":::{status}" if status in _CLASSES else ""
        lines.append(f'    {keys[node["id"]]}["{label}"]{style}')
    for edge in graph["edges"]:
        condition = _condition(edge)
        label = f'|"{_escaped(condition)}"|' if condition else ""
        lines.append(f"    {keys[edge['source']]} -->{label} {keys[edge['target']]}")
    used = {node.get("status") for node in graph["nodes"]}
    lines += [f"    classDef {name} {style}" for name, style in _CLASSES.items() if name in used]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Text that Mermaid shows as it is."""
    return re.sub(r'["<>&#]', lambda match: f"#{ord(match[0])};", text)
