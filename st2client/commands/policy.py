"""`st2 policy` and `st2 policy-type`."""

from __future__ import annotations

from st2client.commandline import Group, value
from st2client.commands import resource
from st2client.commands.resource import Noun

POLICY = Noun("Policy", display_order=("id", "ref", "pack", "name", "description", "enabled", "resource_ref", "policy_type", "parameters"))
POLICY_TYPE = Noun("PolicyType", display_order=("id", "name", "description"))

policy = Group(
    "policy",
    [
        resource.list_command(
            POLICY,
            ["ref", "resource_ref", "policy_type", "enabled"],
            "List policies.",
            options=[
                resource.pack_option(),
                value("-r", "--resource-ref", metavar="REF", help="Only for this resource."),
                value("-pt", "--policy-type", metavar="TYPE", help="Only of this type."),
            ],
            query=lambda args: {"pack": args.pack, "resource_ref": args.resource_ref, "policy_type": args.policy_type},
            partial=True,
        ),
        resource.get_command(POLICY, "Show policies."),
        resource.create_command(POLICY, "Create a policy from a file."),
        resource.update_command(POLICY, "Replace a policy by what a file says."),
        resource.delete_command(POLICY, "Delete a policy."),
        resource.clone_command("policy"),
    ],
    "Policies.",
)

policy_type = Group(
    "policy-type",
    [
        resource.list_command(
            POLICY_TYPE,
            ["id", "resource_type", "name", "description"],
            "List kinds of policies.",
            options=[value("-r", "--resource-type", metavar="TYPE", help="Only for this kind of resource.")],
            query=lambda args: {"resource_type": args.resource_type},
        ),
        resource.get_command(POLICY_TYPE, "Show kinds of policies."),
    ],
    "Kinds of policies.",
)
