"""`st2 action-alias` (cli.md 5.7)."""

from __future__ import annotations

import json
from typing import Any

from st2client.commandline import Argument, Command, Group, flag, value
from st2client.commands import execution_output, output, resource
from st2client.commands.resource import ID_OR_NAME, Noun

NOUN = Noun("ActionAlias", display_order=("id", "ref", "pack", "name", "description", "enabled", "action_ref", "formats"))
NAMED = Noun("ActionAlias", identifier="name-or-id", known_by=ID_OR_NAME)

FORMAT_ACTION = "chatops.format_execution_result"
SOURCE_CHANNEL = "cli"
RULER = "=" * 80


def _by_name(noun: Noun, manager: Any, wanted: str) -> Any:
    """Alias by its bare name, else by id or reference."""
    if "." not in wanted:
        found = manager.get_by_name(wanted)
        if found is not None:
            return found
    return resource.get_existing(noun, manager, wanted)


def _match(session: Any, args: Any) -> None:
    from st2client.models import ActionAliasMatch

    client = session.connect(args)
    alias, _ = client.managers["ActionAlias"].match(ActionAliasMatch(command=args.command))
    output.print_many(args, [alias], args.attr)


def _started(session: Any, args: Any) -> Any:
    from st2client.models import ActionAliasExecution

    client = session.connect(args)
    request = ActionAliasExecution(command=args.command, user=args.user or "", source_channel=SOURCE_CHANNEL)
    started = client.managers["ActionAliasExecution"].match_and_execute(request)
    ref = f"{started.actionalias['pack']}.{started.actionalias['name']}"
    print(f"Matching Action-alias: '{ref}'")
    return started


def _execute(session: Any, args: Any) -> None:
    started = _started(session, args)
    print("To get the results, execute:")
    print(f" st2 execution get {started.execution['id']}\n")
    print("To view output in real-time, execute:")
    print(f" st2 execution tail {started.execution['id']}")


def _test(session: Any, args: Any) -> int | None:
    """Run the alias, then show the message that chat would get."""
    from st2client.models import Execution

    client = session.connect(args)
    executions = client.managers["Execution"]
    started = _started(session, args)
    execution_id = started.execution["id"]
    if args.async_:
        print(f"To get the results, execute:\n st2 execution get {execution_id}")
        return None
    print(f"Execution {execution_id} has started, waiting for it to end.")
    execution = executions.wait(execution_id)
    print(f"Execution {execution_id} has ended (status={execution.status}), formatting its result.")
    request = Execution(action=FORMAT_ACTION, parameters={"execution_id": execution_id}, user=args.user)
    formatted = executions.wait(executions.create(request).id)
    if formatted.status != "succeeded":
        print(f"The result could not be formatted by {FORMAT_ACTION}:")
        execution_output.print_execution(client, formatted, args, attributes=execution_output.RUN_ATTRIBUTES)
        return 1
    result = formatted.result.get("result") if isinstance(formatted.result, dict) else formatted.result
    message = result.get("message") if isinstance(result, dict) else result
    print(f"\nFormatted ChatOps result message\n\n{RULER}")
    print(message if isinstance(message, str) else json.dumps(message, indent=4))
    print(RULER)
    return 1 if execution.status == "failed" else None


_user = value("-u", "--user", metavar="USER", help="Chat user the command comes from.")

group = Group(
    "action-alias",
    [
        resource.list_command(
            NOUN,
            ["ref", "pack", "description", "enabled"],
            "List aliases.",
            options=[resource.pack_option()],
            query=lambda args: {"pack": args.pack},
            partial=True,
        ),
        resource.get_command(NOUN, "Show aliases."),
        resource.create_command(NOUN, "Create an alias from a file."),
        resource.update_command(NAMED, "Replace an alias by what a file says.", find=_by_name),
        resource.delete_command(NAMED, "Delete an alias.", find=_by_name),
        resource.clone_command("action-alias"),
        Command(
            "match",
            _match,
            [
                Argument("command", help="Command as typed in chat."),
                *resource.list_options(["name", "description"]),
                *resource.common_options(),
            ],
            "Show the alias a command fits.",
        ),
        Command(
            "execute",
            _execute,
            [Argument("command", help="Command as typed in chat."), _user, *resource.common_options()],
            "Run what a command asks for.",
        ),
        Command(
            "test",
            _test,
            [
                Argument("command", help="Command as typed in chat."),
                _user,
                flag("async_", "-a", "--async", help="Do not wait for the result."),
                *execution_output.display_options(execution_output.RUN_ATTRIBUTES),
                *resource.common_options(),
            ],
            "Run what a command asks for and show the message chat would get.",
        ),
    ],
    "Chat commands that run actions.",
)
