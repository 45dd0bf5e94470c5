"""Showing executions: plain ones as labelled text, workflows with the list of their tasks (cli.md 3.4 and 4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from st2client import config
from st2client.commandline import Integer, flag, number, value, words
from st2client.commands import output
from st2client.formatters import doc, table, text
from st2client.utils import date

RUN_ATTRIBUTES = ("id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp", "result")
GET_ATTRIBUTES = ("id", "action.ref", "context.user", "parameters", "status", "start_timestamp", "end_timestamp", "log", "result")
WORKFLOW_ATTRIBUTES = ("id", "action.ref", "parameters", "status", "start_timestamp", "end_timestamp", "log")
TASK_ATTRIBUTES = ("id", "status", "task", "action", "start_timestamp")

WORKFLOW_RUNNERS = frozenset({"orquesta", "action-chain"})
"""Runners whose executions have tasks."""

RUNNING, COMPLETED = "running", frozenset({"succeeded", "failed", "timeout", "canceled", "abandoned"})

_GROUP = "display"


def display_options(attributes: Sequence[str]) -> list[Any]:
    """Options that say how an execution is shown; of `--attr` to `--auto-dict` only one may be given."""
    return [
        flag("--with-schema", help="Show the schema of the result, too, when the action declares none."),
        flag("--raw", help="Show a workflow like a plain action, without its tasks."),
        flag("--show-tasks", help="Show the tasks of a workflow."),
        number("--depth", default=-1, metavar="DEPTH", help="Levels of tasks to show (-1: all)."),
        words("-w", "--width", type=Integer(), metavar="WIDTH...", help="Width of the columns of the task table."),
        words("--attr", group=_GROUP, default=tuple(attributes), metavar="ATTR...", help=f"Attributes to show ({' '.join(attributes)})."),
        flag("-d", "--detail", group=_GROUP, help="Show a table of properties."),
        value("-k", "--key", group=_GROUP, metavar="KEY", help="Show only this value of the result (dot notation)."),
        number("--delay", group=_GROUP, metavar="MS", help="Start after this many milliseconds."),
        flag("--tail", group=_GROUP, help="Follow the output while the execution runs."),
        flag("--auto-dict", group=_GROUP, help="Make arrays of key:value items objects."),
    ]


def is_workflow(execution: Any) -> bool:
    """Whether an execution has tasks."""
    return execution.action.get("runner_type") in WORKFLOW_RUNNERS


def status_with_elapsed(execution: dict[str, Any]) -> str:
    """Status with the time a running or finished execution has taken; the bare status where its times are not known."""
    status, start, end = execution.get("status", ""), execution.get("start_timestamp"), execution.get("end_timestamp")
    if start and (status == RUNNING or (status in COMPLETED and end)):
        return f"{status} ({date.elapsed_s(start, end)}s elapsed)"
    return status


def check_show_tasks(args: Any, runner_type: str | None) -> None:
    """Raise `ValueError` when tasks of a plain action are asked for."""
    if args.show_tasks and runner_type not in WORKFLOW_RUNNERS:
        raise ValueError("--show-tasks option can only be used with workflow actions")


def print_execution(client: Any, execution: Any, args: Any, *, attributes: Sequence[str], with_elapsed: bool = False) -> None:
    """Print an execution as the options ask for.

    Args:
        attributes: those of the property table (`--detail`).
        with_elapsed: add the elapsed time to the status.
    """
    check_show_tasks(args, execution.action.get("runner_type"))
    entry = execution.to_dict()
    if args.key and output.structured(args):
        output.print_doc(args, output.selected(entry, [f"result.{args.key}"]))
    elif args.key:
        print(text.key_of_result(entry, args.key))
    elif is_workflow(execution) and not args.raw and not args.detail:
        _print_workflow(client, entry, args, with_elapsed)
    elif output.structured(args):
        output.print_doc(args, output.selected(entry, attributes if args.detail else args.attr))
    else:
        _print_plain(entry, args, attributes, with_elapsed)


def _print_plain(entry: dict[str, Any], args: Any, attributes: Sequence[str], with_elapsed: bool) -> None:
    shown = {**entry, "status": status_with_elapsed(entry)} if with_elapsed else entry
    if args.detail:
        for name in text.TIMESTAMPS & shown.keys():
            shown = {**shown, name: date.format_isodate_for_user_timezone(shown[name])}
        print(table.properties(shown, attributes, attributes))
    else:
        print(text.labels(shown, args.attr))
    _print_schema(entry, args)


def _print_schema(entry: dict[str, Any], args: Any) -> None:
    if "result" not in entry or entry["action"].get("output_schema"):
        return
    if args.with_schema:
        from st2client.utils import schema

        print(schema.render_output_schema_from_output(entry["result"]))
    elif not config.get_config().get("general", {}).get("silence_schema_output", True):
        print("\n** This action does not have an output_schema. Run again with --with-schema to see a suggested schema.")


def _errors(result: Any) -> tuple[Any, Any]:
    """Error and traceback of a result."""
    if not isinstance(result, dict):
        return None, None
    return result.get("error"), result.get("traceback")


def workflow_attributes(entry: dict[str, Any], *, has_children: bool = True) -> tuple[dict[str, Any], list[str]]:
    """A workflow's execution with what is shown of its result, and the attributes to show in the order recorded.

    Args:
        has_children: whether the list of its tasks follows; without it the result is shown in any case.
    """
    result = entry.get("result")
    tasks = (result.get("tasks") if isinstance(result, dict) else None) or []
    last = tasks[-1] if tasks else {}
    shown, inserted = dict(entry), []
    if entry.get("status") == "failed":
        error, traceback = _errors(result)
        task_error, task_traceback = _errors(last.get("result"))
        if not task_error and isinstance(last.get("result"), dict):
            task_error = last["result"].get("stderr")
        if error:
            shown |= {"error": error, "traceback": traceback, "result": "See error and traceback."}
            inserted = ["error", "traceback"]
        elif task_error:
            shown |= {"error": task_error, "traceback": task_traceback, "result": "See error and traceback."}
            shown["failed_on"] = last.get("name", "unknown")
            inserted = ["error", "traceback", "failed_on"]
    names = list(WORKFLOW_ATTRIBUTES)
    if last.get("result"):
        shown |= {"result_task": last.get("name", "unknown"), "result": last["result"]}
        inserted = ["result_task", "result", *inserted]
    elif not tasks or not has_children:
        names.append("result")
    position = names.index("status") + 1
    names[position:position] = inserted
    return shown, names


def _print_workflow(client: Any, entry: dict[str, Any], args: Any, with_elapsed: bool) -> None:
    children = client.managers["Execution"].get_children(entry["id"], depth=args.depth)
    if with_elapsed and not output.structured(args):
        # Before the attributes are chosen: as recorded, a status with its time is no longer plainly "failed", so the result stays whole.
        entry = {**entry, "status": status_with_elapsed(entry)}
    entry, names = workflow_attributes(entry, has_children=bool(children))
    if args.json:
        print(doc.to_json(output.selected(entry, names)))
    else:
        print(text.labels(entry, names))
    if children:
        rows = task_rows([child.to_dict() for child in children], entry["id"])
        transforms = {"start_timestamp": date.format_isodate_for_user_timezone}
        output.print_many(args, rows, TASK_ATTRIBUTES, transforms=transforms)


def task_rows(children: list[dict[str, Any]], root_id: str) -> list[dict[str, Any]]:
    """Rows of the task table: status with elapsed time, ids indented by level and marked where tasks follow below."""
    marks = any(child.get("children") for child in children)
    levels = {root_id: -1}
    rows = []
    for child in children:
        level = levels.get(child.get("parent", root_id), -1) + 1
        levels[child["id"]] = level
        mark = ("+ " if child.get("children") else "  ") if marks else ""
        rows.append(
            {
                "id": " " * level + mark + child["id"],
                "status": status_with_elapsed(child),
                "task": task_name(child),
                "action": child.get("action", {}).get("ref"),
                "start_timestamp": child.get("start_timestamp"),
            }
        )
    return rows


def task_name(child: dict[str, Any]) -> str | None:
    """Name of the task a child execution was made for."""
    context = child.get("context", {})
    return context.get("orquesta", {}).get("task_name") or context.get("chain", {}).get("name")
