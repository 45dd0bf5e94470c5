"""The one error that rendering raises."""

from __future__ import annotations

from jinja2 import TemplateSyntaxError

from st2common.exceptions import Invalid


class RenderError(Invalid):
    """An expression could not be rendered.

    Args:
        cause: what the template engine, a filter or the datastore raised; its text (without a place in a file) is the message.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause.message) if isinstance(cause, TemplateSyntaxError) else str(cause))
        self.cause = cause
