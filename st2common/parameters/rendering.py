"""Rendering of parameters in the order in which they name one another (execution.md 4.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import TemplateAssertionError, TemplateSyntaxError

from st2common.exceptions import ParamError
from st2common.expressions import Lazy, RenderError, is_template, render_value, template_variables


@lru_cache(maxsize=4096)
def _names_in(text: str) -> frozenset[str] | None:
    try:
        return template_variables(text)
    except RenderError as error:
        if isinstance(error.cause, TemplateSyntaxError) and not isinstance(error.cause, TemplateAssertionError):
            return None
        raise


def _dependencies(name: str, value: Any) -> frozenset[str] | None:
    """Names that a value's templates need; None for a value that is meant literally: no template, or one that does not parse."""
    if not is_template(value):
        return None
    try:
        return _names_in(str(value))
    except RenderError as error:
        raise _failed(name, error) from error


def _failed(name: str, error: RenderError) -> ParamError:
    return ParamError(f'Failed to render parameter "{name}": {error.message}', name)


def resolve(values: Mapping[str, Any], variables: Mapping[str, Any], *, literal: Collection[str] = ()) -> dict[str, Any]:
    """Renders every value that holds a template.

    Args:
        values: parameter name to raw value. Parameters are variables for one another and hide ``variables`` of the same name.
        variables: ``st2kv``, ``action_context``, ``config_context``, ``trigger``...; a function is called only when a template names it.
        literal: names whose values are taken as they are.

    Returns:
        All values, rendered.

    Raises:
        ParamError: a name that does not exist, a cycle, or a failed rendering.
    """
    resolved = dict(values)
    pending: dict[str, frozenset[str]] = {}
    for name, value in values.items():
        if name not in literal:
            needs = _dependencies(name, value)
            if needs is not None:
                pending[name] = needs
    if not pending:
        return resolved
    for needs in pending.values():
        for need in sorted(needs):
            if need not in values and need not in variables:
                raise ParamError(f'Dependency unsatisfied in variable "{need}"', need)
    scope = {name: Lazy(value) if callable(value) else value for name, value in variables.items()}
    scope.update((name, value) for name, value in values.items() if name not in pending)
    for name in _in_order(pending):
        try:
            scope[name] = resolved[name] = render_value(values[name], scope)
        except RenderError as error:
            raise _failed(name, error) from error
    return resolved


def _in_order(pending: Mapping[str, frozenset[str]]) -> list[str]:
    """Topological order of the templates; ``ParamError`` names one member of each cycle."""
    order: list[str] = []
    done: set[str] = set()
    cyclic: set[str] = set()
    for start in pending:
        path: list[str] = []
        work = [(start, False)]
        while work:
            name, leaving = work.pop()
            if leaving:
                path.pop()
                done.add(name)
                order.append(name)
            elif name in path:
                cyclic.add(min(path[path.index(name) :]))
            elif name not in done:
                path.append(name)
                work.append((name, True))
                work.extend((need, False) for need in sorted(pending[name], reverse=True) if need in pending)
    if cyclic:
        names = ", ".join(sorted(cyclic))
        raise ParamError(f"Cyclic dependency found in the following variables: {names}. Likely the variable is referencing itself", names)
    return order
