"""Tasks of an installation or removal shown while they run (cli.md 5.4)."""

from __future__ import annotations

from typing import Any

from st2client.commands.execution_output import COMPLETED, task_name
from st2client.utils import color, terminal
from st2client.waiting import ExecutionWaiter

STATUS_WIDTH = 20

TASK_COUNTS = {"packs.install": 8, "packs.uninstall": 2}
"""Tasks of the workflows shown here, for the length of the bar; a workflow with more makes it longer."""

FETCH_INTERVAL_S = 1.0
"""How often tasks are fetched when the stream tells of no change."""


def task_line(status: str, name: str | None) -> str:
    """`\\t[     running      ] download_pack`."""
    return f"\t[{color.paint(status.center(STATUS_WIDTH), color.status_code(status))}] {name}"


class TaskLines:
    """One line per task that is over.

    Args:
        client: connections.
        execution_id: the workflow.
    """

    def __init__(self, client: Any, execution_id: str) -> None:
        self._executions = client.managers["Execution"]
        self._id = execution_id
        self._shown: dict[str, str] = {}
        self._fetch_at_s = 0.0

    def on_event(self, event: dict[str, Any]) -> None:
        """An execution changed: a task of ours is shown at once."""
        if event.get("parent") == self._id:
            self._note(event)

    def tick(self, execution: Any, waited_s: float) -> None:
        """Fetch the tasks now and then, should the stream not tell of them."""
        if waited_s >= self._fetch_at_s:
            self._fetch_at_s = waited_s + FETCH_INTERVAL_S
            self.refresh()

    def refresh(self) -> None:
        """Fetch and show all tasks."""
        for child in self._executions.get_children(self._id, depth=1):
            self._note(child.to_dict())

    def _note(self, task: dict[str, Any]) -> None:
        id, status = task["id"], task.get("status", "")
        if self._shown.get(id) != status and self._shown.get(id) not in COMPLETED:
            self._shown[id] = status
            self._show(task, status)

    def _show(self, task: dict[str, Any], status: str) -> None:
        if status in COMPLETED:
            print(task_line(status, task_name(task)), flush=True)

    def __enter__(self) -> TaskLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class TaskBar(TaskLines):
    """For a person: a progress bar with the task that runs, below the lines of those that are over."""

    def __init__(self, client: Any, execution_id: str) -> None:
        super().__init__(client, execution_id)
        self._workflow = ""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(no_color=not color.is_enabled(), highlight=False)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._bar = self._progress.add_task("starting", total=None)

    def _show(self, task: dict[str, Any], status: str) -> None:
        super()._show(task, status)
        done = sum(1 for known in self._shown.values() if known in COMPLETED)
        total = max(TASK_COUNTS.get(self._workflow, 0), len(self._shown))
        self._progress.update(self._bar, description=task_name(task) or "", completed=done, total=total)

    def tick(self, execution: Any, waited_s: float) -> None:
        """As above; learns which workflow it is."""
        self._workflow = execution.action.get("ref", "")
        super().tick(execution, waited_s)

    def __enter__(self) -> TaskBar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def wait_with_tasks(client: Any, execution_id: str, *, quiet: bool) -> Any:
    """Wait for the execution, showing its tasks unless `quiet`."""
    executions = client.managers["Execution"]
    if quiet:
        return executions.wait(execution_id)
    with (TaskBar if terminal.is_interactive() else TaskLines)(client, execution_id) as lines:
        waiter = ExecutionWaiter(executions, execution_id, on_tick=lines.tick, on_event=lines.on_event, tick_s=FETCH_INTERVAL_S)
        execution = waiter.wait()
        lines.refresh()
    return execution
