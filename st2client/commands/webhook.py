"""`st2 webhook`."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Command, Group
from st2client.commands import output, resource
from st2client.commands.resource import ID_OR_NAME, Noun

NOUN = Noun("Webhook", identifier="url", known_by=ID_OR_NAME, display_order=("type", "description"))

LIST_ATTRIBUTES = ["url", "type", "description"]


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    hooks = [hook.to_dict() for hook in manager.get_all(pack=args.pack)]
    entries = [{**hook, "url": (hook.get("parameters") or {}).get("url", "").strip("/")} for hook in hooks]
    output.print_many(args, sorted(entries, key=lambda entry: entry["url"]), args.attr)


group = Group(
    "webhook",
    [
        Command(
            "list",
            _list,
            [
                resource.pack_option(),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List webhooks.",
        ),
        resource.get_command(NOUN, "Show webhooks."),
    ],
    "Webhooks.",
)
