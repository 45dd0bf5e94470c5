"""``evaluate``: the one way in which workflow definitions get their values (workflows.md 4.1).

A string is Jinja if it holds ``{{ }}`` or ``{% %}``, else YAQL if it holds ``<% %>``, else it is itself. A string that is exactly one
expression keeps the native type; with any text around, results are put in as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from st2common.expressions import workflow_jinja, yaql
from st2common.expressions.scope import Scope
from st2common.expressions.workflow_errors import EvaluationError, JinjaEvaluationException, YaqlEvaluationException

YAQL = "yaql"
JINJA = "jinja"

# No expression spans lines: "." stops at a line break (workflows.md 4.1).
_YAQL_EXPRESSION = re.compile(r"<%.*?%>")
_JINJA_EXPRESSION = re.compile(r"{{.*?}}")
_JINJA_BLOCK = re.compile(r"{%.*?%}")
_JINJA_RAW = re.compile(r"{%-?\s*raw\s*-?%}(.*?){%-?\s*endraw\s*-?%}", re.DOTALL)
_RAW_MARK = "\x00raw{}\x00"
_DEEPEST = 32
"""Values that hold expressions are evaluated again; a value that names itself would never end."""


@dataclass(frozen=True, slots=True)
class GrammarError:
    """What is wrong with the grammar of a string.

    Args:
        language: ``yaql``, ``jinja`` or None (a string that mixes them).
        expression: the part that is wrong.
        message: the parser's text.
    """

    language: str | None
    expression: str
    message: str


def language_of(text: str) -> str | None:
    """Language that evaluates this text, or None for plain text."""
    if "{" in text and (_JINJA_EXPRESSION.search(text) or _JINJA_BLOCK.search(text)):
        return JINJA
    if "<%" in text and _YAQL_EXPRESSION.search(text):
        return YAQL
    return None


def evaluate(value: Any, scope: Scope) -> Any:
    """Value of an expression, a text with expressions, or any structure of them (keys included).

    Args:
        value: text, number, list, mapping...
        scope: what expressions can see.

    Returns:
        Native Python values; shared with the scope's variables, so not to be changed.

    Raises:
        EvaluationError: ``YaqlEvaluationException`` or ``JinjaEvaluationException`` with the recorded texts.
    """
    if isinstance(value, str):
        return _evaluate_text(value, scope, 0)
    if isinstance(value, dict):
        return {evaluate(key, scope): evaluate(entry, scope) for key, entry in value.items()}
    if isinstance(value, list):
        return [evaluate(entry, scope) for entry in value]
    return value


def _evaluate_text(text: str, scope: Scope, depth: int) -> Any:
    language = language_of(text)
    if language is None:
        return text
    return _evaluate_in(language, text, scope, depth)


def _evaluate_in(language: str, text: str, scope: Scope, depth: int) -> Any:
    if depth > _DEEPEST:
        kind: type[EvaluationError] = YaqlEvaluationException if language == YAQL else JinjaEvaluationException
        raise kind(f"Unable to evaluate expression '{text}'. RecursionError: maximum recursion depth exceeded")
    if language == YAQL:
        return _substitute(_YAQL_EXPRESSION, YAQL, yaql.evaluate, text, scope, depth)
    return _evaluate_jinja(text, scope, depth)


def _evaluate_jinja(text: str, scope: Scope, depth: int) -> Any:
    raws: list[str] = []

    def take_out(match: re.Match[str]) -> str:
        raws.append(match.group(1))
        return _RAW_MARK.format(len(raws) - 1)

    text = _JINJA_RAW.sub(take_out, text)
    if _JINJA_BLOCK.search(text):
        text = workflow_jinja.render_blocks(text, scope)
    value = _substitute(_JINJA_EXPRESSION, JINJA, workflow_jinja.evaluate, text, scope, depth)
    if raws and isinstance(value, str):
        for index, raw in enumerate(raws):
            value = value.replace(_RAW_MARK.format(index), raw)
    return value


def _substitute(pattern: re.Pattern[str], language: str, evaluate_one: Callable[[str, Scope], Any], text: str, scope: Scope, depth: int) -> Any:
    first = pattern.match(text)
    if first is not None and first.end() == len(text):
        return _again(language, text, evaluate_one(text, scope), scope, depth)

    def insert(match: re.Match[str]) -> str:
        return str(_again(language, match.group(), evaluate_one(match.group(), scope), scope, depth))

    return pattern.sub(insert, text)


def _again(language: str, expression: str, value: Any, scope: Scope, depth: int) -> Any:
    """A value that itself holds expressions of the same language is evaluated as well; its error is told as the outer expression's."""
    if not isinstance(value, str):
        return value
    holds = (_YAQL_EXPRESSION.search(value)) if language == YAQL else (_JINJA_EXPRESSION.search(value) or _JINJA_BLOCK.search(value))
    if not holds:
        return value
    try:
        return _evaluate_in(language, value, scope, depth + 1)
    except EvaluationError as error:
        raise type(error)(f"Unable to evaluate expression '{expression}'. {type(error).__name__}: {error}") from error


def validate(value: Any) -> list[GrammarError]:
    """Grammar errors of every string in a structure, keys included (workflows.md 8, type ``expression``)."""
    if isinstance(value, str):
        return _validate_text(value)
    if isinstance(value, dict):
        return [error for pair in value.items() for part in pair for error in validate(part)]
    if isinstance(value, list):
        return [error for entry in value for error in validate(entry)]
    return []


def _validate_text(text: str) -> list[GrammarError]:
    jinja = _JINJA_EXPRESSION.search(text) or _JINJA_BLOCK.search(text)
    yaqls = _YAQL_EXPRESSION.findall(text)
    if jinja and yaqls:
        return [GrammarError(None, text, "Expression with multiple types is not supported.")]
    if jinja:
        return _validate_jinja(text)
    found = ((expression, yaql.validate(expression)) for expression in yaqls)
    return [GrammarError(YAQL, expression, message) for expression, message in found if message is not None]


def _validate_jinja(text: str) -> list[GrammarError]:
    message = workflow_jinja.validate_template(text)
    if message is not None:
        return [GrammarError(JINJA, text, message)]
    found = ((expression, workflow_jinja.validate_expression(expression)) for expression in _JINJA_EXPRESSION.findall(text))
    return [GrammarError(JINJA, expression, message) for expression, message in found if message is not None]
