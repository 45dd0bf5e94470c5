"""`st2 trigger`: trigger types."""

from __future__ import annotations

from typing import Any

import click

from st2client.commandline import Argument, Command, Group, flag
from st2client.commands import output, resource
from st2client.commands.resource import Noun

NOUN = Noun("TriggerType", display_order=("id", "ref", "pack", "name", "description", "parameters_schema", "payload_schema"))


def _getspecs(session: Any, args: Any) -> None:
    if args.help:
        print(click.get_current_context().get_help())
        return
    manager = session.connect(args).managers["Trigger"]
    triggers = manager.query(type=args.ref) if args.ref else manager.get_all()
    output.print_many(args, triggers, output.ALL)


group = Group(
    "trigger",
    [
        resource.list_command(
            NOUN,
            ["ref", "pack", "description"],
            "List trigger types.",
            options=[resource.pack_option()],
            query=lambda args: {"pack": args.pack},
            partial=True,
        ),
        resource.get_command(NOUN, "Show trigger types."),
        resource.create_command(NOUN, "Create a trigger type from a file."),
        resource.update_command(NOUN, "Replace a trigger type by what a file says."),
        resource.delete_command(NOUN, "Delete a trigger type."),
        resource.clone_command("trigger"),
        Command(
            "getspecs",
            _getspecs,
            [Argument("ref", nargs="?", help="Trigger type."), flag("-h", "--help", help="Show this help."), *resource.common_options()],
            "Show triggers: trigger types with their parameters.",
            own_help=True,
        ),
    ],
    "Trigger types: kinds of events.",
)
