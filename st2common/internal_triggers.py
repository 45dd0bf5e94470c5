"""Events of the platform itself (content.md 10.2): dispatched whether a rule waits for them or not, never in the way of what caused them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.dispatch import TriggerDispatcher
from st2common.exceptions import NotFound, Unavailable
from st2common.log import getLogger

LOG = getLogger("st2common.internal_triggers")


class InternalTriggers:
    """Dispatches internal triggers.

    Args:
        dispatcher: takes the events.
    """

    def __init__(self, dispatcher: TriggerDispatcher) -> None:
        self._dispatcher = dispatcher

    def emit(self, trigger_ref: str, payload: Mapping[str, Any], *, caused_by: Mapping[str, Any] | None = None) -> bool:
        """Dispatch an event. Returns whether it was dispatched.

        What it tells of has happened and cannot be taken back, so a broker that is away is logged, not raised.
        """
        try:
            self._dispatcher.dispatch(trigger_ref, dict(payload), caused_by=caused_by)
        except (NotFound, Unavailable) as error:
            LOG.warning("internal trigger %s not dispatched: %s", trigger_ref, error)
            return False
        return True
