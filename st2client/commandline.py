"""The grammar of the `st2` command line on top of click.

Scripts rely on the grammar upstream has from argparse: options with one or more values (`-a ref name`), long options by unambiguous
prefix (`--pac`), options that exclude each other, messages such as `the following arguments are required: ref-or-id`. click has none of
these; `_Rewriter` turns such command lines into what click reads. Everything else (types, help, completion) is click's.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Args = SimpleNamespace
"""Options and arguments of a command by parameter name."""

Callback = Callable[[Any, Any], int | None]
"""What a command does: called with (session, args); returns the exit code, None for 0."""

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")


class Integer(click.ParamType):
    """Whole number, with argparse's message."""

    name = "int"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Text as a number. Raises `click.BadParameter`."""
        try:
            return int(value)
        except (TypeError, ValueError):
            self.fail(f"invalid int value: {value!r}", param, ctx)


class Option(click.Option):
    """Option of a command.

    Args:
        many: takes one or more values.
        group: name of a group of options of which only one may be given.
        some: with `many`: also none.
    """

    def __init__(self, *declarations: str, many: bool = False, some: bool = False, group: str | None = None, **settings: Any) -> None:
        self.many = many or some
        self.may_be_empty = some
        self.group = group
        if self.many:
            settings["multiple"] = True
        super().__init__(list(declarations), **settings)

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        return not self.is_flag

    @property
    def title(self) -> str:
        """All spellings, as in messages."""
        return "/".join(self.opts)


class Argument(click.Argument):
    """Positional argument, named in help and messages by its metavar."""

    def __init__(self, name: str, *, nargs: str = "", help: str = "", **settings: Any) -> None:
        identifier = name.replace("-", "_")
        if nargs in ("*", "+"):
            settings["nargs"] = -1
        super().__init__([identifier], required=nargs in ("", "+"), metavar=name, **settings)
        self.help = help
        self.title = name


def flag(*declarations: str, help: str = "", **settings: Any) -> Option:
    """Option without a value."""
    return Option(*declarations, is_flag=True, help=help, **settings)


def value(*declarations: str, help: str = "", **settings: Any) -> Option:
    """Option with one value."""
    return Option(*declarations, help=help, **settings)


def number(*declarations: str, help: str = "", **settings: Any) -> Option:
    """Option with a whole number."""
    return Option(*declarations, help=help, type=Integer(), **settings)


def words(*declarations: str, help: str = "", **settings: Any) -> Option:
    """Option with one or more values."""
    return Option(*declarations, help=help, many=True, **settings)


class _Rewriter:
    """Rewrites arguments as argparse reads them into arguments as click reads them."""

    def __init__(self, command: click.Command, ctx: click.Context, stop_at_positional: bool) -> None:
        self._ctx = ctx
        self._stop_at_positional = stop_at_positional
        self._options: dict[str, click.Option] = {}
        for parameter in command.get_params(ctx):
            if isinstance(parameter, click.Option):
                for spelling in [*parameter.opts, *parameter.secondary_opts]:
                    self._options[spelling] = parameter
        self._used: dict[str, Option] = {}

    def rewrite(self, args: Sequence[str]) -> list[str]:
        rest = list(args)
        options: list[str] = []
        positionals: list[str] = []
        while rest:
            word = rest.pop(0)
            if self._stop_at_positional and not _looks_like_option(word):
                return [*options, word, *rest]
            if word == "--":
                positionals += rest
                break
            if not _looks_like_option(word):
                positionals.append(word)
            else:
                options += self._rewrite_option(word, rest)
        return [*options, "--", *positionals] if positionals else options

    def _rewrite_option(self, word: str, rest: list[str]) -> list[str]:
        name, equals, attached = word.partition("=")
        attached_value: str | None = attached if equals else None
        spelling = self._resolve(name)
        if spelling is None:
            spelling, cluster = self._split_cluster(word)
            option = self._options[spelling]
            if _takes_value(option):
                attached_value = cluster
            elif cluster:
                rest.insert(0, f"-{cluster}")
        option = self._options[spelling]
        self._note_use(option)
        if not _takes_value(option):
            if equals and attached_value is not None and spelling.startswith("--"):
                raise click.UsageError(f"argument {_title(option)}: ignored explicit argument {attached_value!r}", self._ctx)
            return [spelling]
        values = self._values(option, attached_value, rest)
        if len(spelling) > 2:  # with `=`, so that a value that starts with a dash stays a value
            return [f"{spelling}={item}" for item in values]
        return [word for item in values for word in (spelling, item)]

    def _values(self, option: click.Option, attached: str | None, rest: list[str]) -> list[str]:
        if attached is not None:
            return [attached]
        many = isinstance(option, Option) and option.many
        values: list[str] = []
        while rest and not _looks_like_option(rest[0]) and rest[0] != "--" and (many or not values):
            values.append(rest.pop(0))
        if not values and not (isinstance(option, Option) and option.may_be_empty):
            expected = "expected at least one argument" if many else "expected one argument"
            raise click.UsageError(f"argument {_title(option)}: {expected}", self._ctx)
        return values

    def _resolve(self, name: str) -> str | None:
        """Spelling of an option written in full or as an unambiguous prefix; None: maybe a cluster of short ones."""
        if name in self._options:
            return name
        if not name.startswith("--"):
            return None
        matches = [spelling for spelling in self._options if spelling.startswith(name)]
        if len({id(self._options[match]) for match in matches}) == 1:
            return matches[0]
        if matches:
            raise click.UsageError(f"ambiguous option: {name} could match {', '.join(matches)}", self._ctx)
        self._unrecognized(name)

    def _split_cluster(self, word: str) -> tuple[str, str]:
        spelling = word[:2]
        if word.startswith("--") or spelling not in self._options:
            self._unrecognized(word)
        return spelling, word[2:]

    def _unrecognized(self, word: str) -> NoReturn:
        raise click.UsageError(f"unrecognized arguments: {word}", self._ctx)

    def _note_use(self, option: click.Option) -> None:
        if not isinstance(option, Option) or option.group is None:
            return
        earlier = self._used.setdefault(option.group, option)
        if earlier is not option:
            raise click.UsageError(f"argument {option.title}: not allowed with argument {earlier.title}", self._ctx)


def _takes_value(option: click.Option) -> bool:
    return not option.is_flag and not option.count


def _title(option: click.Option) -> str:
    return "/".join(option.opts)


def _looks_like_option(word: str) -> bool:
    return len(word) > 1 and word[0] == "-" and " " not in word and not _NEGATIVE_NUMBER.fullmatch(word)


class _HelpFormat:
    """Usage and help in the order upstream has: usage, description, positional arguments, options."""

    def usage_pieces(self, ctx: click.Context) -> list[str]:
        """What may follow the command's name."""
        pieces = ["[options]"]
        for parameter in ctx.command.get_params(ctx):
            if isinstance(parameter, Argument):
                piece = f"{parameter.title} ..." if parameter.nargs == -1 else parameter.title
                pieces.append(piece if parameter.required else f"[{piece}]")
        return pieces

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Usage block."""
        formatter.write_usage(ctx.command_path, " ".join(self.usage_pieces(ctx)), prefix="usage: ")

    def write_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Section of the positional arguments."""
        rows = [(item.title, item.help or "") for item in ctx.command.get_params(ctx) if isinstance(item, Argument)]
        if rows:
            with formatter.section("positional arguments"):
                formatter.write_dl(rows)

    def write_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Section of the options."""
        records = (item.get_help_record(ctx) for item in ctx.command.get_params(ctx) if isinstance(item, click.Option))
        rows = [record for record in records if record is not None]
        if rows:
            with formatter.section("options"):
                formatter.write_dl(rows)


class Command(_HelpFormat, click.Command):
    """One command.

    Args:
        name: as typed.
        callback: what it does.
        params: options and arguments.
        help: one sentence.
        own_help: the command has a `-h/--help` of its own among `params`.
        complete: completes the first argument: called with (session, what was typed so far).
    """

    def __init__(self, name: str, callback: Callback, params: Sequence[click.Parameter], help: str, *, own_help: bool = False) -> None:
        settings = {"help_option_names": ["-h", "--help"]}
        super().__init__(name, context_settings=settings, callback=callback, params=list(params), help=help, add_help_option=not own_help)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite, then let click read. Raises `click.UsageError`."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        rewritten = _Rewriter(self, ctx, stop_at_positional=False).rewrite(args)
        try:
            return super().parse_args(ctx, rewritten)
        except click.MissingParameter as error:
            raise click.UsageError(f"the following arguments are required: {self._missing(ctx, error)}", ctx) from error

    def _missing(self, ctx: click.Context, error: click.MissingParameter) -> str:
        if isinstance(error.param, click.Option):
            return _title(error.param)
        required = [item for item in self.get_params(ctx) if isinstance(item, Argument) and item.required]
        first = next((index for index, item in enumerate(required) if item is error.param), 0)
        return ", ".join(item.title for item in required[first:])

    def invoke(self, ctx: click.Context) -> Any:
        """Call the callback with the session and the arguments."""
        assert self.callback is not None
        return self.callback(ctx.obj, Args(**ctx.params))

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help of one command."""
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        self.write_arguments(ctx, formatter)
        self.write_options(ctx, formatter)


class MissingSubcommand(Exception):
    """A group of commands was named without one of them; top-level help is the answer (cli.md 1)."""


class Group(_HelpFormat, click.Group):
    """Commands of one noun."""

    def __init__(self, name: str, commands: Sequence[click.Command], help: str) -> None:
        super().__init__(name, commands={command.name or "": command for command in commands}, help=help)
        self.context_settings = {"help_option_names": ["-h", "--help"]}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they were given."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the subcommand. Raises `MissingSubcommand`, `click.UsageError`."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if not args:
            raise MissingSubcommand
        rewritten = _Rewriter(self, ctx, stop_at_positional=True).rewrite(args)
        return super().parse_args(ctx, rewritten)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand. Raises `click.UsageError` naming the nearest ones."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            names = self.list_commands(ctx)
            raise click.UsageError(f"argument <command>: invalid choice: {name!r}{_nearest(name, names)} (choose from {', '.join(names)})", ctx)
        return name if command else None, command, args[1:]

    def usage_pieces(self, ctx: click.Context) -> list[str]:
        """What may follow the group's name."""
        return ["[-h]", "<command>", "..."]

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Names of the subcommands with their short help."""
        return [(name, command.get_short_help_str(limit=80)) for name, command in self.commands.items()]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help of a group."""
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(self.help or "")
        with formatter.section("commands"):
            formatter.write_dl(self.command_rows(ctx))
        self.write_options(ctx, formatter)


def _nearest(name: str, names: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f", did you mean {' or '.join(repr(item) for item in near)}?" if near else ""


class RootGroup(Group):
    """The whole command line. Modules of commands are imported when one of their commands is used.

    Args:
        table: by command name: (module, attribute, help).
        start: called with the global options; makes the session.
    """

    def __init__(self, table: Mapping[str, tuple[str, str, str]], params: Sequence[click.Parameter], start: Callable[[Any], Any], help: str) -> None:
        super().__init__("st2", [], help)
        self._table = table
        self._start = start
        self.params = list(params)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in self._table:
            return None
        module, attribute, _ = self._table[cmd_name]
        return getattr(importlib.import_module(module), attribute)

    def leading_options(self, args: Sequence[str]) -> list[str]:
        """The global options before the command, spelt in full. Raises `click.UsageError`."""
        context = click.Context(self, info_name=self.name)
        rewritten = _Rewriter(self, context, stop_at_positional=True).rewrite(args)
        return list(itertools.takewhile(_looks_like_option, rewritten))

    def invoke(self, ctx: click.Context) -> Any:
        """Make the session, then run the command."""
        ctx.obj = self._start(Args(**ctx.params))
        return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Command names and global options; no command is imported for it."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=help) for name, (_, _, help) in self._table.items() if name.startswith(incomplete)]
        return found if not incomplete.startswith("-") else click.Command.shell_complete(self, ctx, incomplete)

    def usage_pieces(self, ctx: click.Context) -> list[str]:
        """What may follow `st2`."""
        return ["[global options]", "<command>", "[<subcommand>]", "[options]", "[args]"]

    def command_rows(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Names and help from the table; nothing is imported."""
        return [(name, help) for name, (_, _, help) in self._table.items()]
