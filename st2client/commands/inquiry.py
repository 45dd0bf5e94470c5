"""`st2 inquiry` (cli.md 5.11)."""

from __future__ import annotations

import json
from typing import Any

from st2client.commandline import Argument, Command, Group, number, value
from st2client.commands import output, resource
from st2client.commands.resource import ID_ONLY, Noun
from st2client.formatters import table

LIST_ATTRIBUTES = ["id", "roles", "users", "route", "ttl"]
GET_ATTRIBUTES = (*LIST_ATTRIBUTES, "schema")
NOUN = Noun("Inquiry", identifier="id", known_by=ID_ONLY, display_order=GET_ATTRIBUTES, get_attributes=GET_ATTRIBUTES)


def _list(session: Any, args: Any) -> None:
    import sys

    manager = NOUN.of(session.connect(args))
    inquiries, total = manager.query_with_count(limit=args.last)
    output.print_many(args, list(reversed(inquiries)), args.attr, shows_empty=True, shows_empty_json=True)
    if total is not None and 0 < args.last < total:  # said with -j, too, as recorded (cli.md 3.7)
        print(table.more_results_note(args.last, "inquiry", "inquiries"), file=sys.stderr)


def _respond(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    if args.response:
        response = json.loads(args.response)
    inquiry = resource.get_existing(NOUN, manager, args.id)
    if not args.response:
        from st2client.utils.interactive import InteractiveForm

        response = InteractiveForm(inquiry.schema.get("properties") or {}).initiate_dialog()
    manager.respond(inquiry_id=args.id, inquiry_response=response)
    print(f"\nResponse accepted for inquiry {args.id}.")


group = Group(
    "inquiry",
    [
        Command(
            "list",
            _list,
            [
                number("-n", "--last", default=50, metavar="N", help="How many (50; -1: all)."),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List inquiries that wait for an answer.",
        ),
        resource.get_command(NOUN, "Show inquiries."),
        Command(
            "respond",
            _respond,
            [
                Argument("id", help="Which one."),
                value("-r", "--response", metavar="JSON", help="Answer; without it the questions are asked one by one."),
                *resource.common_options(),
            ],
            "Answer an inquiry.",
        ),
    ],
    "Questions of workflows that wait for an answer.",
)
