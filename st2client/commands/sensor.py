"""`st2 sensor`."""

from __future__ import annotations

from st2client.commandline import Group
from st2client.commands import resource
from st2client.commands.resource import Noun

NOUN = Noun(
    "Sensor",
    display_order=("id", "uid", "ref", "pack", "name", "enabled", "entry_point", "artifact_uri", "trigger_types"),
)

group = Group(
    "sensor",
    [
        resource.list_command(
            NOUN,
            ["ref", "pack", "description", "enabled"],
            "List sensors.",
            options=[resource.pack_option()],
            query=lambda args: {"pack": args.pack},
            partial=True,
        ),
        resource.get_command(NOUN, "Show sensors."),
        resource.enable_command(NOUN, "Enable a sensor."),
        resource.disable_command(NOUN, "Disable a sensor."),
    ],
    "Sensors.",
)
