"""`st2 action`: actions. Also the home of the status names that packs import (pyclient.md 1)."""

from __future__ import annotations

from typing import Any

from st2client.commandline import Argument, Command, Group, flag
from st2client.commands import resource
from st2client.commands.resource import Noun
from st2client.commands.run import execute_command
from st2client.completion import references

LIVEACTION_STATUS_REQUESTED = "requested"
LIVEACTION_STATUS_SCHEDULED = "scheduled"
LIVEACTION_STATUS_DELAYED = "delayed"
LIVEACTION_STATUS_RUNNING = "running"
LIVEACTION_STATUS_SUCCEEDED = "succeeded"
LIVEACTION_STATUS_FAILED = "failed"
LIVEACTION_STATUS_TIMED_OUT = "timeout"
LIVEACTION_STATUS_ABANDONED = "abandoned"
LIVEACTION_STATUS_CANCELING = "canceling"
LIVEACTION_STATUS_CANCELED = "canceled"
LIVEACTION_STATUS_PENDING = "pending"
LIVEACTION_STATUS_PAUSING = "pausing"
LIVEACTION_STATUS_PAUSED = "paused"
LIVEACTION_STATUS_RESUMING = "resuming"

LIVEACTION_COMPLETED_STATES = [
    LIVEACTION_STATUS_SUCCEEDED,
    LIVEACTION_STATUS_FAILED,
    LIVEACTION_STATUS_TIMED_OUT,
    LIVEACTION_STATUS_CANCELED,
    LIVEACTION_STATUS_ABANDONED,
]

NOUN = Noun(
    "Action",
    display_order=("id", "uid", "ref", "pack", "name", "description", "enabled", "entry_point", "runner_type", "parameters"),
)


def _delete(session: Any, args: Any) -> None:
    manager = NOUN.of(session.connect(args))
    try:
        action = resource.fetch(manager, args.ref_or_id)
    except resource.ResourceNotFoundError:
        resource.print_not_found(manager, args.ref_or_id)
        return  # exit code 0, as recorded (cli.md 1)
    manager.delete_action(action, args.remove_files)
    resource.print_deleted(args.ref_or_id)


def _clone(session: Any, args: Any) -> int | None:
    import requests

    manager = NOUN.of(session.connect(args))
    try:
        resource.fetch(manager, args.source_ref_or_id)
    except resource.ResourceNotFoundError:
        resource.print_not_found(manager, args.source_ref_or_id)
        return None
    destination = manager.get_by_id(f"{args.dest_pack_name}.{args.dest_action_name}")
    overwrite = bool(args.force)
    if destination is not None and not overwrite:
        answer = input("The destination action already exists. Do you want to overwrite? (y/n): ")
        if answer.strip().lower() not in ("y", "yes"):
            print("Action is not cloned.")
            return None
        overwrite = True
    try:
        cloned = manager.clone(args.source_ref_or_id, args.dest_pack_name, args.dest_action_name, overwrite)
    except requests.exceptions.HTTPError as error:
        print(f"ERROR: {error}")
        return None  # exit code 0, as recorded (cli.md 1)
    from st2client.commands import output

    output.print_one(args, cloned, display_order=NOUN.detail_order)
    return None


group = Group(
    "action",
    [
        resource.list_command(
            NOUN,
            ["ref", "pack", "description"],
            "List actions.",
            options=[resource.pack_option()],
            query=lambda args: {"pack": args.pack},
            partial=True,
        ),
        resource.get_command(NOUN, "Show actions."),
        resource.create_command(NOUN, "Create an action from a file."),
        resource.update_command(NOUN, "Replace an action by what a file says."),
        Command(
            "delete",
            _delete,
            [
                NOUN.argument(),
                flag("-r", "--remove-files", help="Remove its files from disk, too."),
                *resource.common_options(),
            ],
            "Delete an action.",
        ),
        Command(
            "clone",
            _clone,
            [
                Argument("source-ref-or-id", help="Action to copy.", shell_complete=references("Action")),
                Argument("dest-pack-name", help="Pack of the copy."),
                Argument("dest-action-name", help="Name of the copy."),
                flag("-f", "--force", help="Overwrite without asking."),
                *resource.common_options(),
            ],
            "Copy an action with its files.",
        ),
        resource.enable_command(NOUN, "Enable an action."),
        resource.disable_command(NOUN, "Disable an action."),
        execute_command("execute", asynchronous=True, help="Start an action and do not wait for it."),
    ],
    "Actions.",
)
