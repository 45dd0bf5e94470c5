"""Functions of workflow expressions (workflows.md 4.3), for YAQL and Jinja alike.

``SCOPE_FUNCTIONS`` take the :class:`~st2common.expressions.scope.Scope` first; ``PLAIN_FUNCTIONS`` only their arguments, most of them are the
template filters of the platform under the same names.
"""

from __future__ import annotations

import collections.abc
import itertools
import json
from collections.abc import Callable
from typing import Any

from st2common import states
from st2common.exceptions import NotFound
from st2common.expressions import filters
from st2common.expressions.scope import CurrentTask, Scope, freeze, is_mapping
from st2common.expressions.workflow_errors import ExpressionEvaluationException, VariableInaccessibleError, VariableUndefinedError

NOT_GIVEN = object()
"""``st2kv`` without a default: an absent key is an error then; null is a valid default."""


def _current(scope: Scope) -> CurrentTask:
    if scope.current is None:
        raise ExpressionEvaluationException("The current task is not set in the context.")
    return scope.current


def _current_status(scope: Scope) -> str | None:
    current = _current(scope)
    if current.status is not None:
        return current.status
    return scope.tasks.status(current.id, current.route) if scope.tasks else None


def ctx(scope: Scope, key: str | None = None, frozen: bool = False) -> Any:
    """All visible variables, or one of them.

    Raises:
        VariableUndefinedError: no such variable.
        VariableInaccessibleError: it belongs to the engine.
    """
    variables = scope.variables.frozen if frozen else scope.variables.plain
    if key is None:
        return variables
    if key in variables:
        return variables[key]
    if scope.is_private(key):
        raise VariableInaccessibleError(key)
    raise VariableUndefinedError(key)


def item(scope: Scope, key: str | None = None, frozen: bool = False) -> Any:
    """The current with-items item (null outside of one), or one key of it."""
    if key is None:
        return freeze(scope.item) if frozen else scope.item
    if not is_mapping(scope.item):
        raise ExpressionEvaluationException("Item is not type of collections.abc.Mapping.")
    if key not in scope.item:
        raise ExpressionEvaluationException(f'Item does not have key "{key}".')
    return freeze(scope.item[key]) if frozen else scope.item[key]


def result(scope: Scope, frozen: bool = False) -> Any:
    """Result of the task that just completed; for with-items the list of its items' results."""
    current = _current(scope)
    return current.frozen_result if frozen else current.result


def succeeded(scope: Scope) -> bool:
    """Whether the current task succeeded."""
    return _current_status(scope) == states.SUCCEEDED


def failed(scope: Scope) -> bool:
    """Whether the current task failed; a timed out or abandoned one has failed as well."""
    return _current_status(scope) in states.FAILURES


def completed(scope: Scope) -> bool:
    """Whether the current task came to an end of any kind."""
    return _current_status(scope) in states.FINAL


def task_status(scope: Scope, task_id: str, route: int | None = None) -> str:
    """Last status of a task seen from the route at hand; the text ``null`` if it has not run."""
    status = scope.tasks.status(task_id, _route(scope, route)) if scope.tasks else None
    return "null" if status is None else status


def task(scope: Scope, task_id: str | None = None, route: int | None = None) -> dict[str, Any]:
    """Record of the latest run of a task seen from the route at hand.

    Raises:
        ExpressionEvaluationException: the task has not run, or there is no current task to default to.
    """
    name = _current(scope).id if task_id is None else task_id
    record = scope.tasks.record(name, _route(scope, route)) if scope.tasks else None
    if record is None:
        raise ExpressionEvaluationException(f'Unable to find task execution for "{name}".')
    return record


def _route(scope: Scope, route: int | None) -> int:
    if route is not None:
        return route
    return scope.current.route if scope.current else 0


def st2kv(scope: Scope, key: str, decrypt: bool = False, *, default: Any = NOT_GIVEN) -> Any:
    """Value of a datastore item.

    Args:
        scope: holds the reader.
        key: with prefix ``system.`` for the system scope, else an item of the running user.
        decrypt: whether to decrypt a secret.
        default: for an absent key; null counts as given.

    Raises:
        TypeError: key is not text or decrypt not boolean.
        ExpressionEvaluationException: the key does not exist and no default was given.
    """
    if not isinstance(key, str):
        raise TypeError("Given key is not typeof string.")
    if not isinstance(decrypt, bool):
        raise TypeError("Decrypt parameter is not typeof bool.")
    if scope.datastore is None:
        raise ExpressionEvaluationException("The datastore is not accessible here.")
    try:
        return scope.datastore(key, decrypt)
    except NotFound:
        if default is not NOT_GIVEN:
            return default
        name = key.split(".", 1)[1] if key.startswith(("system.", "user.")) else key
        raise ExpressionEvaluationException(f'The key "{name}" does not exist in the StackStorm datastore.') from None


def from_json_string(value: Any) -> Any:
    """Parse JSON text.

    Raises:
        json.JSONDecodeError: with the short text that is recorded; newer parsers add what they had expected.
    """
    try:
        return filters.from_json_string(value)
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(error.msg.split(", expected")[0], error.doc, error.pos) from None


def json_(value: Any) -> Any:
    """Parse JSON text; a plain mapping is returned as it is.

    Raises:
        TypeError: anything else.
    """
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise TypeError("Given object is not typeof string.")
    return from_json_string(value)


def zip_(*lists: Any, pad: Any = None) -> Any:
    """The lists side by side, padded to the longest; null counts as empty, a single argument comes back unchanged."""
    if len(lists) == 1:
        return lists[0]
    rows = [[] if values is None else values for values in lists]
    for values in rows:
        if not isinstance(values, collections.abc.Iterable):
            raise TypeError(f"'{type(values).__name__}' object is not iterable")
    return [list(row) for row in itertools.zip_longest(*rows, fillvalue=pad)]


SCOPE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ctx": ctx,
    "item": item,
    "result": result,
    "succeeded": succeeded,
    "failed": failed,
    "completed": completed,
    "task_status": task_status,
    "task": task,
    "st2kv": st2kv,
}

_FILTERS = (
    "from_yaml_string", "to_json_string", "to_yaml_string", "json_escape", "jsonpath_query",
    "regex_match", "regex_search", "regex_replace", "regex_substring", "to_human_time_from_seconds",
    "version_compare", "version_more_than", "version_less_than", "version_equal", "version_match",
    "version_bump_major", "version_bump_minor", "version_bump_patch", "version_strip_patch",
    "basename", "dirname", "use_none",
)  # fmt: skip
_ALIASES = {
    "json_dump": "to_json_string",
    "yaml_parse": "from_yaml_string",
    "yaml_dump": "to_yaml_string",
}

PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": json_,
    "from_json_string": from_json_string,
    "json_parse": from_json_string,
    "zip": zip_,
    **{name: getattr(filters, name) for name in _FILTERS},
    **{alias: getattr(filters, name) for alias, name in _ALIASES.items()},
}
