"""Servers that go away while an expression reads from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import PyMongoError

from st2common.exceptions import Unavailable

Value = TypeVar("Value")


class Outages:
    """Keeps the outages that expressions met.

    Expressions take every error of what they call for one of their own, and whatever they were evaluated for fails. That the database
    was away says nothing about a workflow or an action: what met it does not count, and is done again.
    """

    def __init__(self) -> None:
        self._met: Exception | None = None

    def reading(self, read: Callable[[], Value]) -> Value:
        """Do ``read``; an outage is kept and raised."""
        try:
            return read()
        except (PyMongoError, Unavailable) as error:
            self._met = error
            raise

    def check(self) -> None:
        """Raise what was met since the last time."""
        met, self._met = self._met, None
        if met is not None:
            raise met
