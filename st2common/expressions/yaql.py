"""The YAQL language: one engine, compiled expressions kept, evaluation against a :class:`~st2common.expressions.scope.Scope`."""

from __future__ import annotations

import collections.abc  # before yaql: its 3.2 uses the module without importing it
import threading
from collections.abc import Generator
from functools import lru_cache
from typing import Any

import yaql
from yaql.language import contexts, conventions, exceptions, specs, utils, yaqltypes

from st2common.expressions import yaql_shortcut
from st2common.expressions.scope import Scope
from st2common.expressions.workflow_errors import YaqlEvaluationException
from st2common.expressions.workflow_functions import PLAIN_FUNCTIONS, SCOPE_FUNCTIONS

SCOPE = "__scope"

_ENGINE = yaql.YaqlFactory().create()
_PARSING = threading.Lock()
"""The engine's lexer keeps its position in itself; threads must take turns."""


class _PlainValue(yaqltypes.PythonType):
    """An argument that reaches the function as plain Python data (YAQL itself hands out frozen mappings and tuples)."""

    def __init__(self) -> None:
        super().__init__(object, nullable=True)

    def convert(self, value: Any, receiver: Any, context: Any, function_spec: Any, engine: Any, *args: Any, **kwargs: Any) -> Any:
        value = super().convert(value, receiver, context, function_spec, engine, *args, **kwargs)
        return plain(value) if isinstance(value, (tuple, Generator, frozenset, collections.abc.Mapping)) else value


def plain(value: Any) -> Any:
    """A YAQL value as plain Python data: mappings to dict, tuples and generators to list."""
    return utils.convert_output_data(value, lambda items: items, _ENGINE)


def _definition(name: str, function: Any, scoped: bool) -> Any:
    """YAQL's description of a function; the first parameter of a scoped one is the hidden context."""
    target = _with_context(name, function) if scoped else function
    # The convention gives parameters their camelCase names (sort_keys is sortKeys in an expression).
    definition = specs.get_function_definition(target, name=name, convention=conventions.CamelCaseConvention())
    for parameter in definition.parameters.values():
        if not isinstance(parameter.value_type, yaqltypes.HiddenParameterType) and name not in ("json",):
            parameter.value_type = _PlainValue()
    definition.name = name
    return definition


def _with_context(name: str, function: Any) -> Any:
    """Turn ``f(scope, ...)`` into ``f(context, ...)`` with the same further parameters, as YAQL reads them from the signature."""
    if name == "ctx":
        return lambda context, key=None: function(context[SCOPE], key, frozen=True)
    if name == "item":
        return lambda context, key=None: function(context[SCOPE], key, frozen=True)
    if name == "result":
        return lambda context: function(context[SCOPE], frozen=True)
    if name == "task_status":
        return lambda context, task_id, route=None: function(context[SCOPE], task_id, route)
    if name == "task":
        return lambda context, task_id=None, route=None: function(context[SCOPE], task_id, route)
    if name == "st2kv":
        return lambda context, key, decrypt=False, default=function.__kwdefaults__["default"]: function(
            context[SCOPE], key, decrypt=decrypt, default=default
        )
    return lambda context: function(context[SCOPE])


@lru_cache(maxsize=1)
def _root_context() -> contexts.ContextBase:
    root = yaql.create_context()
    for name, function in SCOPE_FUNCTIONS.items():
        root.register_function(_definition(name, function, scoped=True))
    for name, function in PLAIN_FUNCTIONS.items():
        root.register_function(_definition(name, function, scoped=False))
    return root


@lru_cache(maxsize=4096)
def _compiled(source: str) -> tuple[Any, Any]:
    """The engine's statement and, where the expression is simple enough, a direct function of the scope."""
    with _PARSING:
        statement = _ENGINE(source)
    return statement, yaql_shortcut.compile_simple(statement.expression)


def strip_delimiters(expression: str) -> str:
    """The YAQL source inside ``<% %>``. Superfluous ``%`` beside a delimiter are dropped, as upstream does."""
    return expression.lstrip("<%").rstrip("%>").strip()


def validate(expression: str) -> str | None:
    """The parser's complaint about one ``<% ... %>``, or None if its grammar is right."""
    try:
        _compiled(strip_delimiters(expression))
    except exceptions.YaqlParsingException as error:
        return str(error)
    return None


def evaluate(expression: str, scope: Scope) -> Any:
    """Value of one ``<% ... %>`` as plain data.

    Args:
        expression: with its delimiters.
        scope: what it can see.

    Raises:
        YaqlEvaluationException: with the texts of workflows.md 4.2.
    """
    try:
        statement, shortcut = _compiled(strip_delimiters(expression))
        if shortcut is not None:
            try:
                return shortcut(scope)
            except yaql_shortcut.NotSimple:
                pass
        context = _root_context().create_child_context()
        context[SCOPE] = scope
        value = statement.evaluate(context=context)
        return list(value) if isinstance(value, Generator) else value
    except KeyError as error:
        key = str(error).strip("'")
        raise YaqlEvaluationException(f"Unable to resolve key '{key}' in expression '{expression}' from context.") from error
    except YaqlEvaluationException:
        raise
    except Exception as error:
        text = str(getattr(error, "message", error)).strip("'")
        raise YaqlEvaluationException(f"Unable to evaluate expression '{expression}'. {type(error).__name__}: {text}") from error
