"""Quoting for shells."""

from __future__ import annotations

from shlex import quote


def quote_unix(value: str) -> str:
    """``value`` as one word of a POSIX shell."""
    return quote(value)


def quote_windows(value: str) -> str:
    """``value`` as one argument of a Windows command line."""
    from subprocess import list2cmdline

    return list2cmdline([value])
