"""`st2 service-registry` (cli.md 5.10)."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Command, Group, value
from st2client.commands import output, resource

MEMBER_ATTRIBUTES = ["group_id", "member_id", "capabilities"]


def _groups(session: Any, args: Any) -> None:
    groups = session.connect(args).managers["ServiceRegistryGroups"].list()
    output.print_many(args, groups, args.attr)


def _members(session: Any, args: Any) -> None:
    client = session.connect(args)
    groups = [args.group_id] if args.group_id else [group.group_id for group in client.managers["ServiceRegistryGroups"].list()]
    members = [member for group in groups for member in client.managers["ServiceRegistryMembers"].list(group)]
    output.print_many(args, members, args.attr)


group = Group(
    "service-registry",
    [
        Group(
            "group",
            [Command("list", _groups, [*resource.list_options(["group_id"]), *resource.common_options()], "List groups.")],
            "Groups of services.",
        ),
        Group(
            "member",
            [
                Command(
                    "list",
                    _members,
                    [
                        value("--group-id", metavar="GROUP", help="Only of this group."),
                        *resource.list_options(MEMBER_ATTRIBUTES),
                        *resource.common_options(),
                    ],
                    "List members.",
                )
            ],
            "Members of groups: processes.",
        ),
    ],
    "Running services.",
)
