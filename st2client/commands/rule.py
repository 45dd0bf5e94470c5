"""`st2 rule`."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Command, Group, flag, number, value
from st2client.commands import output, resource
from st2client.commands.resource import Noun

NOUN = Noun("Rule", display_order=("id", "uid", "ref", "pack", "name", "description", "enabled"))

LIST_ATTRIBUTES = ["ref", "pack", "description", "enabled"]
IFTTT_ATTRIBUTES = ["ref", "trigger.ref", "action.ref", "enabled"]


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    attributes = IFTTT_ATTRIBUTES if args.iftt else args.attr
    enabled = True if args.enabled else False if args.disabled else None
    query = {"pack": args.pack, "action": args.action, "trigger": args.trigger, "enabled": enabled}
    rules, total = manager.query_with_count(limit=args.last, **query, **resource.include_attributes(attributes))
    output.print_many(args, rules, attributes)
    output.print_more_results_note(args, args.last, total, "rule", "rules")


_list_options = [
    number("-n", "--last", default=50, metavar="N", help="How many (50; -1: all)."),
    flag("--iftt", help="Show what triggers each rule and what it does."),
    resource.pack_option(),
    value("-c", "--action", metavar="REF", help="Only those that run this action."),
    value("-g", "--trigger", metavar="REF", help="Only those with this trigger."),
    flag("--enabled", group="state", help="Only enabled ones."),
    flag("--disabled", group="state", help="Only disabled ones."),
    *resource.list_options(LIST_ATTRIBUTES),
    *resource.common_options(),
]

group = Group(
    "rule",
    [
        Command("list", _list, _list_options, "List rules."),
        resource.get_command(NOUN, "Show rules."),
        resource.create_command(NOUN, "Create a rule from a file."),
        resource.update_command(NOUN, "Replace a rule by what a file says."),
        resource.delete_command(NOUN, "Delete a rule."),
        resource.enable_command(NOUN, "Enable a rule."),
        resource.disable_command(NOUN, "Disable a rule."),
        resource.clone_command("rule"),
    ],
    "Rules: which event starts which action.",
)
