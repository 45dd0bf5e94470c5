"""`st2 trigger-instance`: events that came in (cli.md 5.6)."""

from __future__ import annotations

from typing import Any

import click

from st2client.commandline import Argument, Command, Group, flag, number, value
from st2client.commands import output, resource
from st2client.commands.execution import time_options
from st2client.commands.resource import ID_ONLY, Noun
from st2client.utils import date

NOUN = Noun("TriggerInstance", identifier="id", known_by=ID_ONLY, display_order=("id", "trigger", "occurrence_time", "payload"))

LIST_ATTRIBUTES = ["id", "trigger", "occurrence_time", "status"]


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    query = {
        "trigger": args.trigger,
        "status": args.status,
        "timestamp_gt": args.timestamp_gt,
        "timestamp_lt": args.timestamp_lt,
        **resource.include_attributes(args.attr),
    }
    events, total = manager.query_with_count(limit=args.last, **query)
    transforms = {"occurrence_time": date.format_isodate_for_user_timezone}
    output.print_many(args, list(reversed(events)), args.attr, transforms=transforms, shows_empty=True, shows_empty_json=True)
    output.print_more_results_note(args, args.last, total, "triggerinstance", "triggerinstances")


def _re_emit(session: Any, args: Any) -> None:
    if args.help:
        print(click.get_current_context().get_help())
        return
    if not args.id:
        raise click.UsageError("the following arguments are required: id", click.get_current_context())
    print(NOUN.of(session.connect(args)).re_emit(args.id)["message"])


group = Group(
    "trigger-instance",
    [
        Command(
            "list",
            _list,
            [
                number("-n", "--last", default=50, metavar="N", help="How many, newest first (50; -1: all)."),
                value("--trigger", metavar="REF", help="Only of this trigger."),
                *time_options(),
                value("--status", metavar="STATUS", help="Only in this status."),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List trigger instances, newest last.",
        ),
        resource.get_command(NOUN, "Show trigger instances."),
        Command(
            "re-emit",
            _re_emit,
            [Argument("id", nargs="?", help="Which one."), flag("-h", "--help", help="Show this help."), *resource.common_options()],
            "Send an event through the rules again.",
            own_help=True,
        ),
    ],
    "Trigger instances: events that came in.",
)
