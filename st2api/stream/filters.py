"""Which events a listener wants (api.md section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from st2api.stream.events import StreamEvent
from st2common import states

DEFAULT_EVENTS = (
    "st2.announcement__*",
    "st2.execution__create", "st2.execution__update", "st2.execution__delete",
    "st2.liveaction__create", "st2.liveaction__update", "st2.liveaction__delete",
)  # fmt: skip
"""Output and alias events must be asked for."""


@dataclass(frozen=True)
class Filter:
    """What passes to a listener. Listeners with equal filters share the decision.

    Attributes:
        events: shell globs on event names.
        action_refs: only events of these actions; None = all. Events without an action are dropped.
        execution_ids: only events of these executions; None = all. Events that carry no execution id are dropped.
        end_execution_id, end_event: the stream ends after that event about that execution in a completed status.
    """

    events: tuple[str, ...] = DEFAULT_EVENTS
    action_refs: frozenset[str] | None = None
    execution_ids: frozenset[str] | None = None
    end_execution_id: str | None = None
    end_event: str | None = None

    @property
    def watched(self) -> tuple[str, ...]:
        """Globs on the names of all events that matter here: those that may pass, and the one that ends the stream."""
        return self.events if self.end_event is None else (*self.events, self.end_event)

    def passes(self, event: StreamEvent) -> bool:
        """Whether the listener gets the event."""
        if not matches(self.events, event.name):
            return False
        if self.action_refs is not None and event.action_ref not in self.action_refs:
            return False
        return self.execution_ids is None or event.execution_id in self.execution_ids

    def ends_with(self, event: StreamEvent) -> bool:
        """Whether the stream ends with this event (which need not pass)."""
        return (
            self.end_execution_id is not None
            and event.about == self.end_execution_id
            and event.name == self.end_event
            and event.status in states.FINAL
        )


def parse_filter(query: Mapping[str, str]) -> Filter:
    """The filter in the query of ``GET /stream``; empty parameters count as absent."""
    events = _names(query.get("events"))
    action_refs, execution_ids = _names(query.get("action_refs")), _names(query.get("execution_ids"))
    return Filter(
        events or DEFAULT_EVENTS,
        frozenset(action_refs) if action_refs else None,
        frozenset(execution_ids) if execution_ids else None,
        query.get("end_execution_id") or None,
        query.get("end_event") or None,
    )


@lru_cache(maxsize=20_000)
def matches(globs: tuple[str, ...], name: str) -> bool:
    """Whether a name matches one of the globs."""
    return any(fnmatchcase(name, glob) for glob in globs)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
