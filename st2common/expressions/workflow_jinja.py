"""The Jinja of workflows: one sandboxed environment with Jinja's own filters and the workflow functions (as functions and as filters).

Unlike the templates of rules and parameters (``jinja.py``) an expression keeps its native type, and only workflow functions are known.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from st2common.expressions.scope import Scope
from st2common.expressions.workflow_errors import JinjaEvaluationException
from st2common.expressions.workflow_functions import PLAIN_FUNCTIONS, SCOPE_FUNCTIONS

SCOPE = "__scope"
_VARIABLES = "__variables"

_MUTATION = re.compile(r"\.\s*(?:append|extend|insert|pop|popitem|remove|clear|update|setdefault|sort|reverse)\s*\(")
"""A template that changes a value gets copies: the variables are shared by all tasks."""


def _scoped(function: Callable[..., Any]) -> Callable[..., Any]:
    @jinja2.pass_context
    def call(context: jinja2.runtime.Context, *args: Any, **kwargs: Any) -> Any:
        return function(context[SCOPE], *args, **kwargs)

    return call


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    functions = {name: _scoped(function) for name, function in SCOPE_FUNCTIONS.items()} | PLAIN_FUNCTIONS
    environment.filters.update(functions)
    environment.globals.update(functions)
    return environment


@lru_cache(maxsize=4096)
def _expression(source: str) -> Any:
    return _environment().compile_expression(source, undefined_to_none=False)


@lru_cache(maxsize=1024)
def _template(text: str) -> jinja2.Template:
    return _environment().from_string(text)


def strip_delimiters(expression: str) -> str:
    """The Jinja source inside ``{{ }}``."""
    return expression[2:-2].strip()


def _scope_for(text: str, scope: Scope) -> Scope:
    if not _MUTATION.search(text):
        return scope
    changed = copy.copy(scope)
    changed.variables = copy.copy(scope.variables)
    changed.variables.plain = copy.deepcopy(dict(scope.variables.plain))
    return changed


def _failure(expression: str, error: Exception) -> JinjaEvaluationException:
    text = str(getattr(error, "message", error))
    return JinjaEvaluationException(f"Unable to evaluate expression '{expression}'. {type(error).__name__}: {text}")


def evaluate(expression: str, scope: Scope) -> Any:
    """Native value of one ``{{ ... }}``.

    Raises:
        JinjaEvaluationException: with the texts of workflows.md 4.2.
    """
    source = strip_delimiters(expression)
    try:
        value = _expression(source)(**{SCOPE: _scope_for(source, scope)})
    except JinjaEvaluationException:
        raise
    except Exception as error:
        raise _failure(expression, error) from error
    if isinstance(value, jinja2.Undefined):
        raise JinjaEvaluationException(f"There are unresolved variables: {source}")
    return list(value) if inspect.isgenerator(value) else value


def render_blocks(text: str, scope: Scope) -> str:
    """Text of a template with ``{% %}`` blocks.

    Raises:
        JinjaEvaluationException: with the texts of workflows.md 4.2.
    """
    try:
        return _template(text).render({SCOPE: _scope_for(text, scope)})
    except JinjaEvaluationException:
        raise
    except Exception as error:
        raise _failure(text, error) from error


def validate_template(text: str) -> str | None:
    """The parser's complaint about a whole text, or None."""
    try:
        _environment().parse(text)
    except jinja2.TemplateError as error:
        return str(error.message)
    return None


def validate_expression(expression: str) -> str | None:
    """The parser's complaint about one ``{{ ... }}``, or None."""
    try:
        _expression(strip_delimiters(expression))
    except jinja2.TemplateSyntaxError as error:
        return str(error.message) if not isinstance(error, jinja2.TemplateAssertionError) else None
    return None
