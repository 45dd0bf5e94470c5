"""`st2 workflow`: inspection (cli.md 5.12), and graphs of definitions and executions (our addition)."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from st2client.commandline import Argument, Command, Group, flag, value
from st2client.commands import output, resource
from st2client.completion import references
from st2client.formatters import doc, graph

PACKS_BASE_PATH = "/opt/stackstorm/packs"

_EXECUTION_ID = re.compile(r"[0-9a-f]{24}")


def _definition_of_file(path: str) -> str:
    if not os.path.isfile(path):
        raise ValueError(f'File "{path}" does not exist on local system.')
    with open(path, encoding="utf-8") as file:
        return file.read()


def _definition_of_action(client: Any, ref: str) -> str:
    """Text of a workflow action: from the local disk as upstream, else from the server."""
    action = client.managers["Action"].get_by_ref_or_id(ref)
    if action is None:
        raise ValueError(f'Unable to identify action "{ref}".')
    path = os.path.join(PACKS_BASE_PATH, action.pack, "actions", action.entry_point)
    if os.path.isfile(path):
        return _definition_of_file(path)
    return client.managers["Action"].get_entrypoint(ref)


def _inspect(session: Any, args: Any) -> None:
    if not args.file and not args.action:
        raise click.UsageError("one of the arguments --file --action is required", click.get_current_context())
    definition = _definition_of_file(args.file) if args.file else _definition_of_action(session.client(), args.action)
    problems = session.client().managers["Workflow"].inspect(definition, places=True)
    if problems:
        print(doc.to_yaml(problems, indent=2))
    else:
        print("No errors found in workflow definition.")


def _graph(session: Any, args: Any) -> None:
    if bool(args.file) == bool(args.target):
        raise click.UsageError("name an action, an execution id, or a file with --file", click.get_current_context())
    client = session.connect(args)
    if args.file:
        found = client.managers["Workflow"].graph(definition=_definition_of_file(args.file))
    elif _EXECUTION_ID.fullmatch(args.target) or args.target == "last":
        found = client.managers["Execution"].get_graph(args.target)
    else:
        found = client.managers["Workflow"].graph(action=args.target)
    if output.structured(args):
        output.print_doc(args, found)
    else:
        print(graph.to_mermaid(found) if args.mermaid else graph.to_text(found))


group = Group(
    "workflow",
    [
        Command(
            "inspect",
            _inspect,
            [
                value("--file", group="source", metavar="PATH", help="Definition on the local disk."),
                value("--action", group="source", metavar="REF", help="Registered workflow action."),
            ],
            "Check a workflow definition.",
        ),
        Command(
            "graph",
            _graph,
            [
                Argument(
                    "target",
                    nargs="?",
                    help="Workflow action, or id of an execution (with the state of its tasks).",
                    shell_complete=references("Action"),
                ),
                value("--file", metavar="PATH", help="Definition on the local disk."),
                flag("--mermaid", help="Print a Mermaid flowchart."),
                *resource.common_options(),
            ],
            "Show the graph of a workflow.",
        ),
    ],
    "Workflow definitions and their graphs.",
)
