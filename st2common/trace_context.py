"""Which trace an event joins (reactor.md section 7)."""

from __future__ import annotations


class TraceContext:
    """Names a trace by its id, or asks for a new one with a tag.

    Args:
        id_: id of an existing trace.
        trace_tag: tag of a new trace.
    """

    def __init__(self, id_: str | None = None, trace_tag: str | None = None) -> None:
        self.id_ = id_
        self.trace_tag = trace_tag

    def to_dict(self) -> dict[str, str | None]:
        """The form that messages carry."""
        return {"id_": self.id_, "trace_tag": self.trace_tag}
