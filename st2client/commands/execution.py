"""`st2 execution` (cli.md 5.1)."""

from __future__ import annotations

from typing import Any

import click

from st2client.commandline import Argument, Command, Group, Option, flag, number, value
from st2client.commands import execution_output, output, resource, run, tail
from st2client.commands.resource import ID_ONLY, Noun
from st2client.utils import date

NOUN = Noun("Execution", identifier="id", known_by=ID_ONLY)

LIST_ATTRIBUTES = ["id", "action.ref", "context.user", "status", "start_timestamp", "end_timestamp"]

ASCENDING = ("asc", "ascending")
SORT_CHOICES = ["asc", "desc", "ascending", "descending"]


def sort_query(order: str) -> dict[str, bool]:
    """Query parameters for an order by time."""
    return {"sort_asc": True} if order in ASCENDING else {"sort_desc": True}


def time_options() -> list[Any]:
    """Options that bound a list in time."""
    return [
        value("-tg", "--timestamp-gt", metavar="TIME", help="Only later than this (ISO 8601)."),
        value("-tl", "--timestamp-lt", metavar="TIME", help="Only earlier than this (ISO 8601)."),
    ]


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    query: dict[str, Any] = {
        "action": args.action,
        "status": args.status,
        "user": args.user,
        "trigger_instance": args.trigger_instance,
        "timestamp_gt": args.timestamp_gt,
        "timestamp_lt": args.timestamp_lt,
        "parent": None if args.showall else "null",
        **sort_query(args.sort),
        **resource.include_attributes(args.attr),
    }
    executions, total = manager.query_with_count(limit=args.last, **query)
    entries = [execution.to_dict() for execution in reversed(executions)]
    if not output.structured(args):
        marks = any(entry.get("children") for entry in entries)
        for entry in entries:
            entry["status"] = execution_output.status_with_elapsed(entry)
            if marks:
                entry["id"] = ("+ " if entry.get("children") else "  ") + entry["id"]
    times = {name: date.format_isodate_for_user_timezone for name in ("start_timestamp", "end_timestamp")}
    output.print_many(args, entries, args.attr, transforms=times, shows_empty=True, shows_empty_json=True)
    output.print_more_results_note(args, args.last, total, "action execution", "action executions")


def _get(session: Any, args: Any) -> None:
    client = session.connect(args)
    manager = client.managers["Execution"]
    if args.exclude_result:
        params = {"exclude_attributes": "result"}
    else:
        extra = ["action.ref", "action.runner_type", "start_timestamp", "end_timestamp", "log"]
        wanted = [*args.attr, "result"] if args.key else args.attr
        params = resource.include_attributes(wanted, extra)
    for execution in resource.fetch_each(manager, args.id, lambda identifier: manager.get_by_id(identifier, params=params)):
        execution_output.print_execution(client, execution, args, attributes=execution_output.GET_ATTRIBUTES, with_elapsed=True)


def _re_run(session: Any, args: Any) -> int | None:
    if args.help:
        print(click.get_current_context().get_help())
        return None
    if not args.id:
        raise click.UsageError("the following arguments are required: id", click.get_current_context())
    client = session.connect(args)
    manager = client.managers["Execution"]
    existing = manager.get_by_id(args.id)
    if existing is None:
        raise resource.ResourceNotFoundError(f'Action execution with id "{args.id}" cannot be found.')
    execution_output.check_show_tasks(args, existing.action.get("runner_type"))
    parameters = run.typed_parameters(client, existing.action, args) if args.parameters or args.inherit_env else {}
    execution = manager.re_run(args.id, parameters=parameters, tasks=list(args.tasks), no_reset=list(args.no_reset), delay=args.delay or 0)
    return run.follow(client, execution, args, asynchronous=args.async_)


def _cancel(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    for identifier in args.ids:
        answer = manager.delete_by_id(identifier)
        fault = answer.get("faultstring") if isinstance(answer, dict) else None
        print(fault or f"action execution with id {identifier} canceled.")


def _change_status(session: Any, args: Any, operation: str) -> None:
    client = session.connect(args)
    manager = client.managers["Execution"]
    for identifier in args.ids:
        execution = getattr(manager, operation)(identifier)
        execution_output.print_execution(client, execution, args, attributes=execution_output.RUN_ATTRIBUTES)


def _pause(session: Any, args: Any) -> None:
    _change_status(session, args, "pause")


def _resume(session: Any, args: Any) -> None:
    _change_status(session, args, "resume")


_list_options = [
    number("-n", "--last", default=50, metavar="N", help="How many, newest first (50; -1: all)."),
    value("-s", "--sort", type=click.Choice(SORT_CHOICES), default="descending", help="Order of start."),
    value("--action", metavar="REF", help="Only of this action."),
    value("--status", metavar="STATUS", help="Only in this status."),
    value("--user", metavar="USER", help="Only of this user."),
    value("--trigger_instance", "--trigger-instance", metavar="ID", help="Only caused by this trigger instance."),
    *time_options(),
    flag("-l", "--showall", help="Also those that are tasks of a workflow."),
    *resource.list_options(LIST_ATTRIBUTES),
    *resource.common_options(),
]

_re_run_options = [
    Argument("id", nargs="?", help="Execution to run again."),
    Argument("parameters", nargs="*", help="key=value: replace parameters of the original."),
    Option("--tasks", some=True, metavar="TASK...", help="Run only these tasks of a workflow again."),
    Option("--no-reset", some=True, metavar="TASK...", help="Of these, the with-items tasks whose successful items are kept."),
    flag("async_", "-a", "--async", help="Do not wait for the result."),
    flag("-e", "--inherit-env", help="Send the environment of this shell as parameter 'env'."),
    flag("-h", "--help", help="Show this help."),
    *execution_output.display_options(execution_output.RUN_ATTRIBUTES),
    *resource.common_options(),
]


def _display(attributes: Any) -> list[Any]:
    return [*execution_output.display_options(attributes), *resource.common_options()]


group = Group(
    "execution",
    [
        Command("list", _list, _list_options, "List executions, newest last."),
        Command(
            "get",
            _get,
            [
                Argument("id", nargs="+", help="Which ones ('last': the newest)."),
                flag("-x", "--exclude-result", help="Do not fetch the result."),
                *_display(execution_output.GET_ATTRIBUTES),
            ],
            "Show executions.",
        ),
        Command("re-run", _re_run, _re_run_options, "Run an execution again.", own_help=True),
        Command("cancel", _cancel, [Argument("ids", nargs="+", help="Which ones."), *resource.common_options()], "Cancel executions."),
        Command("pause", _pause, [Argument("ids", nargs="+", help="Which ones."), *_display(execution_output.RUN_ATTRIBUTES)], "Pause workflows."),
        Command(
            "resume",
            _resume,
            [Argument("ids", nargs="+", help="Which ones."), *_display(execution_output.RUN_ATTRIBUTES)],
            "Let paused workflows go on.",
        ),
        Command(
            "tail",
            tail.tail,
            [
                Argument("id", nargs="?", help="Which one ('last': the newest)."),
                value("--type", metavar="TYPE", help="Only this kind of output: stdout, stderr, other (all)."),
                flag("--include-metadata", help="Show time and kind before each piece."),
                *resource.common_options(),
            ],
            "Follow the output of an execution.",
        ),
    ],
    "Executions of actions and workflows.",
)
