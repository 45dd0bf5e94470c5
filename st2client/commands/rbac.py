"""`st2 role` and `st2 role-assignment` (cli.md 5.10)."""

from __future__ import annotations

from st2client.commandline import Group, flag, value
from st2client.commands import resource
from st2client.commands.resource import ID_ONLY, Noun

ROLE = Noun("Role", identifier="id", known_by=ID_ONLY, display_order=("id", "name", "system", "permission_grants"))
ASSIGNMENT = Noun("UserRoleAssignment", identifier="id", known_by=ID_ONLY, display_order=("id", "role", "user", "is_remote", "description"))

role = Group(
    "role",
    [
        resource.list_command(
            ROLE,
            ["id", "name", "system", "description"],
            "List roles.",
            options=[flag("-s", "--system", help="Only built-in roles.")],
            query=lambda args: {"system": True if args.system else None},
        ),
        resource.get_command(ROLE, "Show roles."),
    ],
    "Roles.",
)

role_assignment = Group(
    "role-assignment",
    [
        resource.list_command(
            ASSIGNMENT,
            ["id", "role", "user", "is_remote", "source", "description"],
            "List role assignments.",
            options=[
                value("-r", "--role", metavar="ROLE", help="Only of this role."),
                value("-u", "--user", metavar="USER", help="Only of this user."),
                value("-s", "--source", metavar="SOURCE", help="Only from this source (file)."),
                flag("--remote", help="Only those that came from groups of a directory."),
            ],
            query=lambda args: {"role": args.role, "user": args.user, "source": args.source, "remote": True if args.remote else None},
        ),
        resource.get_command(ASSIGNMENT, "Show role assignments."),
    ],
    "Who has which role.",
)
