"""Colours of names and statuses (cli.md 3.6)."""

from __future__ import annotations

import os

from st2client.utils import terminal

NAME = "94"
_STATUS = {"succeeded": "92", "failed": "91", "delayed": "94", "timeout": "33", "canceled": "33", "abandoned": "91"}
_OTHER_STATUS = "93"

STATUS_STYLES = {"92": "green", "91": "red", "94": "blue", "33": "yellow", "93": "bright_yellow"}
"""The same colours by the names `rich` uses."""


def is_enabled() -> bool:
    """Colour only for a person at a terminal that has it, and not where `NO_COLOR` or `ST2_COLORIZE` is set."""
    return terminal.is_interactive() and not os.environ.get("NO_COLOR") and not os.environ.get("ST2_COLORIZE")


def status_code(status: str) -> str:
    """Colour of a status; an elapsed time after it does not matter."""
    return _STATUS.get(status.split(" ", 1)[0], _OTHER_STATUS)


def paint(text: str, code: str) -> str:
    """Text in colour, or as it is where colour is off."""
    return f"\x1b[{code}m{text}\x1b[0m" if is_enabled() else text


def paint_status(status: str) -> str:
    """Status in its colour."""
    return paint(status, status_code(status))
