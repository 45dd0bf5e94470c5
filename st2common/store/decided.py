"""Idempotent writes whose answer may get lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from st2common.exceptions import OutcomeUnknown

Result = TypeVar("Result")
_PAUSES_S = (0.1, 0.5, 1.5)


def decided(write: Callable[[], Result]) -> Result:
    """Do ``write``; when the connection broke before its answer came, do it again until it is known what became of it.

    Raises:
        ServerSelectionTimeoutError: the database is away and nothing was sent.
        OutcomeUnknown: it was sent, and the database did not come back soon enough to tell.
    """
    sent: AutoReconnect | None = None
    for pause in (*_PAUSES_S, None):
        try:
            return write()
        except AutoReconnect as error:
            if isinstance(error, ServerSelectionTimeoutError) and sent is None:
                raise
            sent = error
        if pause is not None:
            time.sleep(pause)
    raise OutcomeUnknown("The database went away before it answered: this may have been accepted, or not.") from sent
