"""What the terminal can show."""

from __future__ import annotations

import os
import sys

DEFAULT_COLUMNS = 150


def columns() -> int:
    """Width of the terminal in characters: `COLUMNS`, else the size of a terminal among stdout, stdin and stderr, else the default."""
    declared = os.environ.get("COLUMNS", "")
    if declared.isdigit() and int(declared) > 0:
        return int(declared)
    for descriptor in (1, 0, 2):
        try:
            return os.get_terminal_size(descriptor).columns or DEFAULT_COLUMNS
        except OSError:
            continue  # that one is no terminal
    return DEFAULT_COLUMNS


def is_interactive() -> bool:
    """Whether a person is reading stdout."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def can_ask() -> bool:
    """Whether a person can be asked something."""
    return sys.stdin.isatty() and sys.stdout.isatty()
