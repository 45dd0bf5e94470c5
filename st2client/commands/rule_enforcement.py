"""`st2 rule-enforcement`."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Command, Group, number, value
from st2client.commands import output, resource
from st2client.commands.execution import time_options
from st2client.commands.resource import ID_ONLY, Noun

LIST_ATTRIBUTES = ["id", "rule.ref", "trigger_instance_id", "execution_id", "enforced_at"]
GET_ATTRIBUTES = ("id", "rule.ref", "trigger_instance_id", "execution_id", "failure_reason", "enforced_at")

NOUN = Noun("RuleEnforcement", identifier="id", known_by=ID_ONLY, display_order=GET_ATTRIBUTES, get_attributes=GET_ATTRIBUTES)


def _list(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    query = {
        "trigger_instance": args.trigger_instance,
        "execution": args.execution,
        "rule_ref": args.rule,
        "enforced_at_gt": args.timestamp_gt,
        "enforced_at_lt": args.timestamp_lt,
    }
    enforcements, total = manager.query_with_count(limit=args.last, **query)
    if output.structured(args):
        enforcements.reverse()  # as recorded: JSON and YAML run the other way round
    output.print_many(args, enforcements, args.attr, shows_empty_json=True)
    output.print_more_results_note(args, args.last, total, "rule enforcement", "rule enforcements")


group = Group(
    "rule-enforcement",
    [
        Command(
            "list",
            _list,
            [
                number("-n", "--last", default=50, metavar="N", help="How many, newest first (50; -1: all)."),
                value("--trigger-instance", metavar="ID", help="Only for this trigger instance."),
                value("--execution", metavar="ID", help="Only of this execution."),
                value("--rule", metavar="REF", help="Only of this rule."),
                *time_options(),
                *resource.list_options(LIST_ATTRIBUTES),
                *resource.common_options(),
            ],
            "List rule enforcements.",
        ),
        resource.get_command(NOUN, "Show rule enforcements."),
        resource.create_command(NOUN, "Not supported by the server."),
        resource.update_command(NOUN, "Not supported by the server."),
        resource.delete_command(NOUN, "Not supported by the server."),
        resource.clone_command("rule-enforcement"),
    ],
    "Rule enforcements: rules that matched an event.",
)
