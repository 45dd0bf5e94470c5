"""`st2 completion`: scripts that make shells complete `st2` (our addition)."""

from __future__ import annotations

import os
from typing import Any

import click

from st2client.commandline import Argument, Command

SHELLS = ("bash", "zsh", "fish")


def _shells(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [shell for shell in SHELLS if shell.startswith(incomplete)]


def _completion(session: Any, args: Any) -> None:
    from click.shell_completion import get_completion_class

    shell = args.shell or os.path.basename(os.environ.get("SHELL", "bash"))
    if shell not in SHELLS:
        raise click.UsageError(f"argument shell: invalid choice: {shell!r} (choose from {', '.join(SHELLS)})", click.get_current_context())
    script = get_completion_class(shell)
    if script is None:
        raise RuntimeError(f"No completion for {shell}.")
    print(script(click.get_current_context().find_root().command, {}, "st2", "_ST2_COMPLETE").source())


completion = Command(
    "completion",
    _completion,
    [Argument("shell", nargs="?", help="bash, zsh or fish (that of $SHELL).", shell_complete=_shells)],
    'Print the completion script for a shell: eval "$(st2 completion bash)".',
)

__all__ = ["SHELLS", "completion"]
