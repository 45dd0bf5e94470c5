"""`st2 run` and `st2 action execute` (cli.md 4)."""

from __future__ import annotations

import os
import sys
import textwrap
from typing import Any

import click

from st2client import parameters
from st2client.commandline import Argument, Command, flag, value
from st2client.commands import execution_output, resource
from st2client.commands.resource import ID_OR_REFERENCE, Noun

_ACTION = Noun("Action", known_by=ID_OR_REFERENCE)


def execute_command(name: str, *, asynchronous: bool, help: str) -> Command:
    """`run`, or `action execute` (which never waits)."""

    def run(session: Any, args: Any) -> int | None:
        return _run(session, args, asynchronous or args.async_)

    options = [
        _ACTION.argument("?", "Action to run."),
        Argument("parameters", nargs="*", help="key=value, @key=file; the first other word and all after it become 'cmd'."),
        *execution_output.display_options(execution_output.RUN_ATTRIBUTES),
        value("--trace-tag", "--trace_tag", metavar="TAG", help="Trace the execution belongs to, by tag."),
        value("--trace-id", metavar="ID", help="Trace the execution belongs to, by id."),
        flag("async_", "-a", "--async", help="Do not wait for the result."),
        flag("-e", "--inherit-env", help="Send the environment of this shell as parameter 'env'."),
        value("-u", "--user", metavar="USER", help="User the action runs as (administrators)."),
        flag("-h", "--help", help="Show this help, or that of the action named."),
        *resource.common_options(),
    ]
    return Command(name, run, options, help, own_help=True)


def _run(session: Any, args: Any, asynchronous: bool) -> int | None:
    if args.help and not args.ref_or_id:
        print(click.get_current_context().get_help())
        return None
    if not args.ref_or_id:
        raise click.UsageError("Missing action reference or id", click.get_current_context())
    client = session.connect(args)
    if args.help:
        _print_action_help(client, args.ref_or_id)
        return None
    action = resource.get_existing(_ACTION, client.managers["Action"], args.ref_or_id)
    execution_output.check_show_tasks(args, action.runner_type)
    execution = request_execution(client, action, args)
    return follow(client, execution, args, asynchronous=asynchronous)


def request_execution(client: Any, action: Any, args: Any) -> Any:
    """Ask for the execution of an action with the parameters on the command line. Raises `ValueError` for bad parameters."""
    from st2client.models import Execution

    request = Execution()
    request.action = f"{action.pack}.{action.name}"
    request.parameters = typed_parameters(client, action.to_dict(), args)
    request.user = args.user
    if args.delay:
        request.delay = args.delay
    if args.trace_id:
        request.context = {"trace_context": {"id_": args.trace_id}}
    elif args.trace_tag:
        request.context = {"trace_context": {"trace_tag": args.trace_tag}}
    return client.managers["Execution"].create(request)


def typed_parameters(client: Any, action: dict[str, Any], args: Any) -> dict[str, Any]:
    """Parameters on the command line, typed by the schema of the action and its runner."""
    values: dict[str, Any] = {"env": parameters.inherited_environment(os.environ)} if args.inherit_env else {}
    if args.parameters:  # the runner is only needed for the types of parameters: without any, one request less
        runner = _runner_of(client, action["runner_type"], action["ref"])
        values |= parameters.parse_words(
            args.parameters, action["parameters"], runner.runner_parameters, action_ref=action["ref"], auto_dict=args.auto_dict
        )
    return values


def _runner_of(client: Any, name: str, action_ref: str) -> Any:
    runner = client.managers["RunnerType"].get_by_name(name)
    if runner is None:
        raise ValueError(f'Runner "{name}" of action "{action_ref}" does not exist.')
    return runner


def follow(client: Any, execution: Any, args: Any, *, asynchronous: bool) -> int | None:
    """Say how to get the result, or wait for it and print it; returns 1 for a failed execution."""
    if asynchronous:
        print(f"To get the results, execute:\n st2 execution get {execution.id}\n")
        print(f"To view output in real-time, execute:\n st2 execution tail {execution.id}")
        return None
    execution = _wait(client, execution, args)
    execution_output.print_execution(client, execution, args, attributes=execution_output.RUN_ATTRIBUTES)
    return 1 if execution.status == "failed" else None


def _wait(client: Any, execution: Any, args: Any) -> Any:
    from st2client.commands.progress import progress_of
    from st2client.waiting import ExecutionWaiter

    executions = client.managers["Execution"]
    try:
        if args.tail:
            from st2client.commands import tail

            print(f'Tailing execution "{execution.id}"')
            tail.follow_output(client, execution)
            print("")
        with progress_of(client, execution, shown=not args.json and not args.yaml and not args.tail) as progress:
            waiter = ExecutionWaiter(executions, execution.id, on_tick=progress.tick, on_event=progress.on_event, tick_s=progress.tick_s)
            finished = waiter.wait()
    except KeyboardInterrupt:
        _interrupted(executions, execution.id)
        raise
    print("")
    return finished


def _interrupted(executions: Any, execution_id: str) -> None:
    """Ctrl-C while waiting: ask a person whether the execution shall end, too."""
    from st2client.utils import terminal

    print("", file=sys.stderr)
    if terminal.can_ask() and click.confirm(f"Cancel execution {execution_id}?", default=False, err=True):
        answer = executions.delete_by_id(execution_id)
        fault = answer.get("faultstring") if isinstance(answer, dict) else None
        print(fault or f"Execution {execution_id} is being canceled.", file=sys.stderr)
    else:
        print(f"The execution goes on. To get its result: st2 execution get {execution_id}", file=sys.stderr)


def _print_action_help(client: Any, ref: str) -> None:
    """`st2 run <action> -h` (cli.md 4.7)."""
    action = client.managers["Action"].get_by_ref_or_id(ref)
    if action is None:
        from st2client.commands.suggestions import did_you_mean

        hint = did_you_mean(client.managers["Action"], ref)
        print(f'Action "{ref}" is not found. Use "st2 action list" to see the list of available actions.{hint}')
        return
    runner = _runner_of(client, action.runner_type, action.ref)
    schemas = merged_parameters(runner.runner_parameters, action.parameters)
    print("")
    print(textwrap.fill(getattr(action, "description", None) or "", 70))
    print("")
    for title, required in (("Required Parameters:", True), ("Optional Parameters:", False)):
        chosen = {name: schema for name, schema in schemas.items() if bool(schema.get("required")) is required}
        if chosen:
            print(title)
            for name in sorted(chosen, key=lambda name: (chosen[name].get("position", sys.maxsize), name)):
                _print_parameter(name, chosen[name])


def merged_parameters(runner: dict[str, Any], action: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Parameters a user may give: the runner's under the action's, attribute by attribute, without immutable ones."""
    names = [*runner, *(name for name in action if name not in runner)]
    merged = {name: {**runner.get(name, {}), **action.get(name, {})} for name in names}
    return {name: schema for name, schema in merged.items() if not schema.get("immutable")}


def _print_parameter(name: str, schema: dict[str, Any]) -> None:
    print(f"    {name}")
    indent = " " * 8
    if schema.get("description"):
        print(textwrap.fill(schema["description"], 78, initial_indent=indent, subsequent_indent=indent))
    if schema.get("type"):
        print(f"{indent}Type: {schema['type']}")
    if schema.get("enum"):
        print(f"{indent}Enum: {', '.join(str(item) for item in schema['enum'])}")
    if schema.get("default") is not None:
        print(f"{indent}Default: {schema['default']}")
    print("")


run = execute_command("run", asynchronous=False, help="Run an action or workflow and show its result.")
