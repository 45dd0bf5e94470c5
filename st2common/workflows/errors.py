"""Errors of the workflow language and the conductor."""

from __future__ import annotations

from st2common.exceptions import Conflict, Invalid


class DefinitionError(Invalid):
    """A definition cannot be read at all (not YAML, duplicate key, not a mapping): it has no structure to inspect.

    Args:
        message: upstream's text.
        line: 1-based, if known.
        column: 1-based, if known.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class RerunRefused(Conflict):
    """A workflow cannot be rerun from the given tasks (workflows.md 7.4); the new execution fails with this text."""


class RequestRefused(Conflict):
    """A pause, resume or cancel request is impossible in the present state."""


class UnreachableJoinError(Invalid):
    """A join got some of its branches and can never get the rest. Upstream's name; it is part of the logged text."""


class ChainError(Invalid):
    """An action chain cannot start, or cannot go on; the text goes into the result's ``error``."""
