"""Tasks of an installation or removal shown while they run (cli.md 5.4)."""

from __future__ import annotations

import sys
from typing import Any

from st2client.commands.execution_output import COMPLETED, task_name
from st2client.utils import color, terminal
from st2client.waiting import ExecutionWaiter

STATUS_WIDTH = 20

FETCH_INTERVAL_S = 1.0
"""How often tasks are fetched when the stream tells of no change."""


def task_line(status: str, name: str | None) -> str:
    """`\\t[     running      ] download_pack`."""
    return f"\t[{color.paint(status.center(STATUS_WIDTH), color.status_code(status))}] {name}"


class TaskLines:
    """One line per task: rewritten in place for a person, printed when the task is over otherwise.

    Args:
        client: connections.
        execution_id: the workflow.
    """

    def __init__(self, client: Any, execution_id: str) -> None:
        self._executions = client.managers["Execution"]
        self._id = execution_id
        self._live = terminal.is_interactive()
        self._shown: dict[str, str] = {}
        self._open: str | None = None
        self._fetch_at_s = 0.0

    def on_event(self, event: dict[str, Any]) -> None:
        """An execution changed: a task of ours is shown at once."""
        if event.get("parent") == self._id:
            self._show(event)

    def tick(self, execution: Any, waited_s: float) -> None:
        """Fetch the tasks now and then, should the stream not tell of them."""
        if waited_s >= self._fetch_at_s:
            self._fetch_at_s = waited_s + FETCH_INTERVAL_S
            self.refresh()

    def refresh(self) -> None:
        """Fetch and show all tasks."""
        for child in self._executions.get_children(self._id, depth=1):
            self._show(child.to_dict())

    def finish(self) -> None:
        """Show the last states and end the line."""
        self.refresh()
        if self._open is not None:
            sys.stdout.write("\n")
            self._open = None
        sys.stdout.flush()

    def _show(self, task: dict[str, Any]) -> None:
        id, status = task["id"], task.get("status", "")
        if self._shown.get(id) == status or self._shown.get(id) in COMPLETED:
            return
        self._shown[id] = status
        line = task_line(status, task_name(task))
        if not self._live:
            if status in COMPLETED:
                print(line, flush=True)
            return
        if self._open == id:
            sys.stdout.write(f"\r{line}")
        else:
            sys.stdout.write(("\n" if self._open is not None else "") + line)
        self._open = id
        sys.stdout.flush()


def wait_with_tasks(client: Any, execution_id: str, *, quiet: bool) -> Any:
    """Wait for the execution, showing its tasks unless `quiet`."""
    executions = client.managers["Execution"]
    if quiet:
        return executions.wait(execution_id)
    lines = TaskLines(client, execution_id)
    execution = ExecutionWaiter(executions, execution_id, on_tick=lines.tick, on_event=lines.on_event, tick_s=FETCH_INTERVAL_S).wait()
    lines.finish()
    return execution
