"""What is shown while an execution is waited for.

Captured output gets the dots that scripts know from upstream. A person at a terminal sees the status, and for a workflow the tree of
its tasks as they run; it disappears when the result is there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from st2client.utils import color, terminal

DOT_INTERVAL_S = 2.0
PATIENCE_S = 0.5
"""Nothing is drawn for executions that end sooner: a flash helps nobody."""

FETCH_INTERVAL_S = 3.0
"""Tasks are fetched at least this often, should the stream not tell of them."""

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress:
    """Shows nothing: JSON and YAML output."""

    tick_s = 5.0
    on_event: Callable[[Any], None] | None = None

    def tick(self, execution: Any, waited_s: float) -> None:
        """Called after every look at the execution."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Dots(Progress):
    """One dot for every two seconds, as upstream prints one per poll."""

    tick_s = DOT_INTERVAL_S

    def __init__(self) -> None:
        self._printed = 0

    def tick(self, execution: Any, waited_s: float) -> None:
        """Print the dots that are due."""
        due = int(waited_s / DOT_INTERVAL_S)
        if due > self._printed:
            sys.stdout.write("." * (due - self._printed))
            sys.stdout.flush()
            self._printed = due


class StatusLine(Progress):
    """One line that is rewritten: status and time."""

    tick_s = 0.2

    def __init__(self) -> None:
        self._drawn = False

    def tick(self, execution: Any, waited_s: float) -> None:
        """Rewrite the line."""
        if waited_s < PATIENCE_S:
            return
        spinner = SPINNER[int(waited_s * 5) % len(SPINNER)]
        sys.stderr.write(f"\r{spinner} {color.paint_status(execution.status)} {waited_s:.0f} s\x1b[K")
        sys.stderr.flush()
        self._drawn = True

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class TaskTree(Progress):
    """Live tree of a workflow's tasks."""

    tick_s = 0.5

    def __init__(self, client: Any) -> None:
        self._executions = client.managers["Execution"]
        self._live: Any = None
        self._children: list[dict[str, Any]] = []
        self._fetch_at_s = 0.0
        self.on_event = self._note

    def _note(self, event: dict[str, Any]) -> None:
        """An execution changed: if it may be one of ours, fetch the tasks at the next tick."""
        if event.get("parent"):
            self._fetch_at_s = 0.0

    def tick(self, execution: Any, waited_s: float) -> None:
        """Draw the tasks, fetched anew when one changed (and now and then)."""
        if waited_s < PATIENCE_S:
            return
        from rich.console import Console
        from rich.live import Live

        if waited_s >= self._fetch_at_s:
            self._children = [child.to_dict() for child in self._executions.get_children(execution.id)]
            self._fetch_at_s = waited_s + FETCH_INTERVAL_S
        tree = build_tree(execution.to_dict(), self._children, waited_s)
        if self._live is None:
            console = Console(stderr=True, no_color=not color.is_enabled(), highlight=False)
            self._live = Live(tree, console=console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(tree, refresh=True)

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()


def build_tree(root: dict[str, Any], children: list[dict[str, Any]], waited_s: float) -> Any:
    """Tree of an execution and its descendants (depth first) for `rich`."""
    from rich.text import Text
    from rich.tree import Tree

    from st2client.commands.execution_output import status_with_elapsed, task_name

    def label(entry: dict[str, Any], name: str, status: str) -> Any:
        return Text.assemble((f"{name} ", "bold"), (status, color.STATUS_STYLES[color.status_code(status)]), f" {entry['id']}")

    top = Tree(label(root, root["action"]["ref"], f"{root['status']} ({waited_s:.0f}s elapsed)"))
    branches = {root["id"]: top}
    for child in children:
        name = f"{task_name(child) or ''} · {child.get('action', {}).get('ref', '')}".strip(" ·")
        branch = branches.get(child.get("parent", ""), top)
        branches[child["id"]] = branch.add(label(child, name, status_with_elapsed(child)))
    return top


def progress_of(client: Any, execution: Any, *, shown: bool) -> Progress:
    """The right display for an execution and the place the output goes to."""
    if not shown:
        return Progress()
    if not (terminal.is_interactive() and sys.stderr.isatty()):
        return Dots()
    from st2client.commands.execution_output import is_workflow

    return TaskTree(client) if is_workflow(execution) else StatusLine()
