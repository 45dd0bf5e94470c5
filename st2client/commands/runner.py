"""`st2 runner`."""

from __future__ import annotations

from st2client.commandline import Group
from st2client.commands import resource
from st2client.commands.resource import ID_OR_NAME, Noun

NOUN = Noun("RunnerType", identifier="name-or-id", known_by=ID_OR_NAME, display_order=("id", "name", "description"))

group = Group(
    "runner",
    [
        resource.list_command(NOUN, ["id", "name", "description"], "List runners.", partial=True),
        resource.get_command(NOUN, "Show runners."),
        resource.enable_command(NOUN, "Enable a runner."),
        resource.disable_command(NOUN, "Disable a runner."),
    ],
    "Runners of actions.",
)
