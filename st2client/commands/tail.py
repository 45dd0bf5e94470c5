"""Following the output of an execution (`execution tail`, `run --tail`; cli.md 5.1)."""

from __future__ import annotations

import sys
import time
from typing import Any

from st2client.commands.execution_output import COMPLETED, is_workflow
from st2client.commands.resource import ResourceNotFoundError

OUTPUT_EVENT = "st2.execution.output__create"
UPDATE_EVENT = "st2.execution__update"

POLL_INTERVAL_S = 1.0
"""Where no stream answers: how often new output is asked for."""


def print_chunk(chunk: dict[str, Any], *, include_metadata: bool) -> None:
    """Print a piece of output, with its time and kind when asked for."""
    prefix = f"[{chunk.get('timestamp')}][{chunk.get('output_type')}] " if include_metadata else ""
    sys.stdout.write(prefix + chunk.get("data", ""))
    sys.stdout.flush()


def print_completed(execution: Any) -> None:
    """The closing line."""
    print(f"\nExecution {execution.id} has completed (status={execution.status}).")


def follow_output(client: Any, execution: Any, *, output_type: str | None = None, include_metadata: bool = False) -> None:
    """Print the output of an execution from its start until it is over.

    Args:
        execution: as last seen; when it is over, what is stored is printed.
        output_type: stdout, stderr or other; None: all.
        include_metadata: time and kind before each chunk.
    """
    executions = client.managers["Execution"]
    if execution.status in COMPLETED:
        sys.stdout.write(executions.get_output(execution.id, output_type=output_type))
        print_completed(execution)
        return
    import requests

    print(f"Execution {execution.id} has started.\n")
    tail = _Tail(client, execution, output_type, include_metadata)
    try:
        tail.follow_workflow() if is_workflow(execution) else tail.follow_action()
    except requests.exceptions.RequestException as error:
        print(f"WARNING: The stream is not available, output is polled: {error}", file=sys.stderr)
        tail.poll()
    print_completed(executions.get_by_id(execution.id))


class _Tail:
    def __init__(self, client: Any, execution: Any, output_type: str | None, include_metadata: bool) -> None:
        self._stream = client.managers["Stream"]
        self._executions = client.managers["Execution"]
        self._id = execution.id
        self._type = output_type
        self._metadata = include_metadata
        self._printed = 0
        self._family = {execution.id}
        self._started: set[str] = set()
        self._finished: set[str] = set()

    def follow_action(self) -> None:
        """Output of one action: the server sends what there is and what comes, and ends the stream with the execution."""
        for _, chunk in self._stream.listen_output(self._id, output_type=self._type):
            self._print(chunk)
        self._until_over()

    def follow_workflow(self) -> None:
        """Output of all tasks, with a line when one starts or ends."""
        events = self._stream.listen_named([UPDATE_EVENT, OUTPUT_EVENT], end_event=UPDATE_EVENT, end_execution_id=self._id)
        # Connected: whatever is over by now sends no more events.
        latest = self._executions.get_by_id(self._id)
        for child in self._executions.get_children(self._id):
            self._note_child(child.to_dict())
        if latest.status in COMPLETED:
            return
        for name, data in events:
            if name == OUTPUT_EVENT:
                if data.get("execution_id") in self._family and self._type in (None, data.get("output_type")):
                    self._print(data)
            elif data.get("id") == self._id:
                if data.get("status") in COMPLETED:
                    return
            elif data.get("parent") in self._family:
                self._note_child(data)
        self._until_over()

    def poll(self) -> None:
        """Without a stream: ask for the stored output again and again."""
        while True:
            execution = self._executions.get_by_id(self._id)
            text = self._executions.get_output(self._id, output_type=self._type)
            sys.stdout.write(text[self._printed :])
            sys.stdout.flush()
            self._printed = max(self._printed, len(text))
            if execution.status in COMPLETED:
                return
            time.sleep(POLL_INTERVAL_S)

    def _until_over(self) -> None:
        """The stream has ended; the execution's last status may be written a moment later."""
        from st2client.waiting import wait_for_execution

        wait_for_execution(self._executions, self._id)

    def _print(self, chunk: dict[str, Any]) -> None:
        self._printed += len(chunk.get("data", ""))
        print_chunk(chunk, include_metadata=self._metadata)

    def _note_child(self, child: dict[str, Any]) -> None:
        from st2client.commands.execution_output import task_name

        self._family.add(child["id"])
        status = child.get("status")
        if status in ("running", *COMPLETED) and child["id"] not in self._started:
            self._started.add(child["id"])
            print(f"Child execution (task={task_name(child)}) {child['id']} has started.\n")
        if status in COMPLETED and child["id"] not in self._finished:
            self._finished.add(child["id"])
            print(f"\nChild execution (task={task_name(child)}) {child['id']} has finished (status={status}).")


def tail(session: Any, args: Any) -> None:
    """`st2 execution tail`."""
    client = session.connect(args)
    executions = client.managers["Execution"]
    wanted = args.id or "last"
    if wanted == "last":
        newest = executions.query(limit=1, sort_desc=True)
        if not newest:
            print("No executions found in db.")
            return
        wanted = newest[0].id
    execution = executions.get_by_id(wanted)
    if execution is None:
        raise ResourceNotFoundError(f"Execution  with id {wanted} not found.")
    output_type = None if args.type in (None, "all") else args.type
    follow_output(client, execution, output_type=output_type, include_metadata=args.include_metadata)
