"""Errors of workflow expressions. The class names are part of the recorded error texts (workflows.md 4.2), hence upstream's."""

from __future__ import annotations

from st2common.exceptions import Invalid


class ExpressionEvaluationException(Invalid):
    """An expression function was used where it has no meaning, or found nothing."""


class VariableUndefinedError(ExpressionEvaluationException):
    """``ctx(name)`` of a variable that does not exist.

    Args:
        name: the variable.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is undefined.')


class VariableInaccessibleError(ExpressionEvaluationException):
    """``ctx(name)`` of a variable that belongs to the engine (its name starts with two underscores).

    Args:
        name: the variable.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f'The variable "{name}" is for internal use and inaccessible.')


class EvaluationError(Invalid):
    """An expression could not be evaluated; the message names the expression and the cause."""


class YaqlEvaluationException(EvaluationError):
    """A YAQL expression could not be evaluated."""


class JinjaEvaluationException(EvaluationError):
    """A Jinja expression could not be evaluated."""


def described(error: BaseException) -> str:
    """``Class: text``, the form in which workflow errors are logged."""
    return f"{type(error).__name__}: {error}"
