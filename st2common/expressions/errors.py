"""The one error that rendering raises."""

from __future__ import annotations

from st2common.exceptions import Invalid


class RenderError(Invalid):
    """An expression could not be rendered.

    Args:
        cause: what the template engine, a filter or the datastore raised; its text is the message.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause
