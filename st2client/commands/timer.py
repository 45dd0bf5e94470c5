"""`st2 timer`."""

from __future__ import annotations

from st2client.commandline import Group, value
from st2client.commands import resource
from st2client.commands.resource import ID_OR_NAME, Noun

NOUN = Noun("Timer", identifier="name-or-id", known_by=ID_OR_NAME, display_order=("type", "pack", "name", "description", "parameters"))

group = Group(
    "timer",
    [
        resource.list_command(
            NOUN,
            ["id", "uid", "pack", "name", "type", "parameters"],
            "List timers.",
            options=[value("-ty", "--timer-type", metavar="TYPE", help="Only of this type, e.g. core.st2.CronTimer.")],
            query=lambda args: {"timer_type": args.timer_type},
        ),
        resource.get_command(NOUN, "Show timers."),
    ],
    "Timers.",
)
