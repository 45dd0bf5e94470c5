"""One invocation of the command line, from arguments to exit code (cli.md 1)."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from st2client.commandline import Args, MissingSubcommand, RootGroup, flag, value
from st2client.session import Session

__all__ = ["Shell"]

EXIT_ERROR, EXIT_USAGE, EXIT_PRINTED_CONFIG, EXIT_INTERRUPTED = 1, 2, 3, 130

_HELP = "Command line of the event-driven automation platform: actions, workflows, rules, packs and everything around them."

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("st2client.commands.run", "run", "Run an action or workflow and show its result."),
    "action": ("st2client.commands.action", "group", "Actions."),
    "action-alias": ("st2client.commands.action_alias", "group", "Chat commands that run actions."),
    "auth": ("st2client.commands.auth", "auth", "Get an access token."),
    "login": ("st2client.commands.auth", "login", "Log in and remember it for the commands to come."),
    "whoami": ("st2client.commands.auth", "whoami", "Show who is logged in."),
    "apikey": ("st2client.commands.apikey", "group", "API keys."),
    "execution": ("st2client.commands.execution", "group", "Executions of actions and workflows."),
    "inquiry": ("st2client.commands.inquiry", "group", "Questions of workflows that wait for an answer."),
    "key": ("st2client.commands.keyvalue", "group", "The datastore."),
    "pack": ("st2client.commands.pack", "group", "Packs."),
    "policy": ("st2client.commands.policy", "policy", "Policies."),
    "policy-type": ("st2client.commands.policy", "policy_type", "Kinds of policies."),
    "rule": ("st2client.commands.rule", "group", "Rules: which event starts which action."),
    "webhook": ("st2client.commands.webhook", "group", "Webhooks."),
    "timer": ("st2client.commands.timer", "group", "Timers."),
    "runner": ("st2client.commands.runner", "group", "Runners of actions."),
    "sensor": ("st2client.commands.sensor", "group", "Sensors."),
    "trace": ("st2client.commands.trace", "group", "Traces: what belongs to one event."),
    "trigger": ("st2client.commands.trigger", "group", "Trigger types: kinds of events."),
    "trigger-instance": ("st2client.commands.trigger_instance", "group", "Trigger instances: events that came in."),
    "rule-enforcement": ("st2client.commands.rule_enforcement", "group", "Rule enforcements: rules that matched an event."),
    "workflow": ("st2client.commands.workflow", "group", "Workflow definitions and their graphs."),
    "service-registry": ("st2client.commands.service_registry", "group", "Running services."),
    "role": ("st2client.commands.rbac", "role", "Roles."),
    "role-assignment": ("st2client.commands.rbac", "role_assignment", "Who has which role."),
    "stream": ("st2client.commands.stream", "stream", "Follow live events."),
    "completion": ("st2client.commands.completion", "completion", "Print the completion script for a shell."),
}
"""Commands in the order of `st2 --help`: module and attribute (imported on use), help. The last two are not in upstream."""


def _global_options() -> list[Any]:
    return [
        flag("--version", help="Print the version and exit."),
        value("--url", metavar="URL", help="Base URL of the services (ST2_BASE_URL); the others are derived from it."),
        value("--auth-url", metavar="URL", help="URL of the auth service, without version (ST2_AUTH_URL)."),
        value("--api-url", metavar="URL", help="URL of the API, with version (ST2_API_URL)."),
        value("--stream-url", metavar="URL", help="URL of the stream, with version (ST2_STREAM_URL)."),
        value("--api-version", metavar="VERSION", help="API version in derived URLs (ST2_API_VERSION)."),
        value("--cacert", metavar="PATH", help="CA bundle that https certificates are verified with (ST2_CACERT), or true/false."),
        value("--basic-auth", metavar="USER:PASSWORD", help="Basic authentication towards a proxy in front of the services."),
        value("--config-file", metavar="PATH", help="Configuration file (ST2_CONFIG_FILE; default ~/.st2/config)."),
        flag("--print-config", help="Print the configuration in force and exit."),
        flag("--skip-config", help="Use no value of the configuration file (ST2_CLI_SKIP_CONFIG=1)."),
        flag("--debug", help="Show every request as a curl line, and details of errors."),
    ]


class Shell:
    """The command line as an object: packs and tests call `Shell().run(argv)`."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self.root = RootGroup(COMMANDS, _global_options(), self._start, _HELP)

    def _start(self, options: Args) -> Session:
        self.session = Session(options)
        return self.session

    def run(self, argv: list[str]) -> int:
        """Run one command line (without the program's name) and return its exit code. Nothing is raised."""
        _prepare_output()
        arguments = [_as_utf8(word) for word in argv if word != "--enable-profiler"]
        try:
            code = self._run(arguments) if len(arguments) == len(argv) else self._profiled(arguments)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            # Who read our output has gone (`st2 … | head`); keep the interpreter from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_ERROR

    def _profiled(self, arguments: list[str]) -> int:
        import cProfile

        profiler = cProfile.Profile()
        code = profiler.runcall(self._run, arguments)
        profiler.print_stats("cumulative")
        return code

    def _run(self, arguments: list[str]) -> int:
        try:
            return self._invoke(arguments)
        except click.UsageError as error:
            return self._usage_error(error)
        except MissingSubcommand:
            print(self._help(), file=sys.stdout if arguments else sys.stderr)
            return EXIT_USAGE
        except click.exceptions.Exit as done:
            return done.exit_code
        except SystemExit as done:  # how click ends a completion
            return done.code if isinstance(done.code, int) else 0
        except (KeyboardInterrupt, click.Abort):
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001  (the outermost frame: every error becomes one line and an exit code)
            return self._error(error)

    def _invoke(self, arguments: list[str]) -> int:
        options = self.root.leading_options(arguments)
        if "--version" in options or "--print-config" in options:
            return self._global_action(options)
        code = self.root.main(arguments, prog_name="st2", complete_var="_ST2_COMPLETE", standalone_mode=False)
        return code if isinstance(code, int) else 0

    def _global_action(self, options: list[str]) -> int:
        """Options that need no command."""
        with self.root.make_context("st2", options, resilient_parsing=True) as context:
            if context.params["version"]:
                from st2client.main import version_line

                print(version_line())
                return 0
            from st2client.config_parser import format_config

            print(format_config(self._start(Args(**context.params)).config))
            return EXIT_PRINTED_CONFIG

    def _help(self) -> str:
        return self.root.get_help(click.Context(self.root, info_name="st2"))

    @staticmethod
    def _usage_error(error: click.UsageError) -> int:
        sys.stdout.flush()
        message = error.message
        if isinstance(error, click.BadParameter) and error.param is not None:
            message = f"argument {'/'.join(error.param.opts)}: {message}"
        path = error.ctx.command_path if error.ctx else "st2"
        if error.ctx is not None:
            print(error.ctx.get_usage(), file=sys.stderr)
        print(f"{path}: error: {message}", file=sys.stderr)
        return EXIT_USAGE

    def _error(self, error: Exception) -> int:
        from st2client.exceptions.operations import OperationFailureException

        if self.session is None:
            # The configuration could not be read: nothing has been asked of a server, stdout stays empty (cli.md 1).
            print(f"ERROR: {error}\n", file=sys.stderr)
            return EXIT_ERROR
        if isinstance(error, OperationFailureException):
            if str(error):
                print(f"ERROR: {error}")
            return EXIT_USAGE
        print(f"ERROR: {_one_text(error)}\n")
        if self.session.debug:
            import traceback

            print(self.session.describe(), end="\n\n")
            traceback.print_exception(error, file=sys.stdout)
        return EXIT_ERROR


def _prepare_output() -> None:
    """Where the locale cannot show every character: say so, and print a question mark instead of failing half way."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    if encoding != "utf8" and isinstance(sys.stdout, io.TextIOWrapper):
        print(f"WARNING: The locale's encoding is {encoding}, not UTF-8: other characters are shown as '?'.", file=sys.stderr)
        sys.stdout.reconfigure(errors="replace")


def _one_text(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, KeyError):
        return f"{text} is missing in the answer of the server"
    return text


def _as_utf8(word: str) -> str:
    """Undo surrogate escapes, so that references with other than ASCII characters work in any locale (cli.md 1)."""
    if os.environ.get("ST2_CLI_RENCODE_ARGV", "true").lower() in ("0", "false", "no"):
        return word
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if not word.isascii() else word
