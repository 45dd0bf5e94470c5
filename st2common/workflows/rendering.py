"""From definition to values: initial context, task requests, publishes, output (workflows.md 3 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from st2common.expressions.evaluate import evaluate
from st2common.expressions.scope import Scope, Variables
from st2common.expressions.workflow_errors import EvaluationError, described
from st2common.workflows.commands import ActionRequest
from st2common.workflows.spec import NextSpec, Pairs, TaskSpec, WithSpec, WorkflowSpec
from st2common.workflows.values import as_json, merged

NOT_AN_INTEGER_DELAY = "The value of task delay is not type of integer."

RENDER_ERRORS = (EvaluationError, TypeError, ValueError)
"""What rendering a part of a definition may raise; everything goes into the errors list as ``Class: text``."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A task ready to start.

    Args:
        action: ref or expression; None for a task without action.
        delay_s: seconds before its actions run.
        requests: its actions; for a task with items all of them, in order.
        items: the items' values, None for a task without ``with``.
        concurrency: how many items run at a time, None for all.
    """

    delay_s: int
    requests: tuple[ActionRequest, ...]
    items: list[Any] | None = None
    concurrency: int | None = None


def initial_context(spec: WorkflowSpec, parameters: Mapping[str, Any], context: Mapping[str, Any], scope: Scope) -> tuple[dict[str, Any], list[str]]:
    """The initial context: what the platform gives, then inputs, then vars, each seeing those before.

    Args:
        spec: the definition.
        parameters: rendered action parameters; one that is present counts even if null.
        context: ``st2`` and ``parent``.
        scope: datastore access for the expressions.

    Returns:
        The context without the entries that erred, and the errors' texts.
    """
    values = dict(context)
    errors = []
    entries = [(name, parameters[name] if name in parameters else default) for name, default in spec.input]
    for name, value in [*entries, *spec.vars]:
        try:
            values[name] = as_json(evaluate(value, replace(scope, variables=Variables(values))))
        except RENDER_ERRORS as error:
            errors.append(described(error))
    return values, errors


def publish(entry: NextSpec, scope: Scope) -> tuple[dict[str, Any], list[str]]:
    """Values that a transition publishes, each entry seeing the ones before, and the errors' texts."""
    return _in_order(entry.publish, scope)


def output(pairs: Pairs, scope: Scope) -> tuple[dict[str, Any], list[str]]:
    """The output, each entry seeing the ones before (they shadow variables), and the errors' texts."""
    return _in_order(pairs, scope)


def _in_order(pairs: Pairs, scope: Scope) -> tuple[dict[str, Any], list[str]]:
    new: dict[str, Any] = {}
    errors = []
    held = {id(value) for value in scope.variables.plain.values()}
    for name, value in pairs:
        try:
            result = evaluate(value, scope)
            # What a context already holds is JSON data; walking through it again would cost its size.
            new[name] = result if id(result) in held else as_json(result)
        except RENDER_ERRORS as error:
            errors.append(described(error))
            continue
        values = dict(scope.variables.plain)
        values[name] = new[name]
        scope = replace(scope, variables=Variables(values, scope.variables.freeze))
    return new, errors


def task(spec: TaskSpec, scope: Scope) -> Rendered:
    """Everything that must be known before a task starts.

    Raises:
        EvaluationError: an expression failed.
        TypeError: delay, items or concurrency have the wrong type.
    """
    delay_s = _delay(spec.delay, scope)
    if spec.with_items is None:
        return Rendered(delay_s, (request(spec, scope, delay_s),) if spec.action else ())
    items, concurrency = _items(spec.with_items, scope)
    requests = tuple(
        item_request(spec, scope, value, index, delay_s if concurrency is None or index < concurrency else 0) for index, value in enumerate(items)
    )
    return Rendered(delay_s, requests, items, concurrency)


def request(spec: TaskSpec, scope: Scope, delay_s: int, item: int | None = None) -> ActionRequest:
    """The action request of a task, or of the item in scope."""
    action = evaluate(spec.action, scope)
    given = evaluate(spec.input, scope) if spec.input is not None else {}
    if not isinstance(given, dict):
        raise TypeError("The value of task input is not type of dict.")
    return ActionRequest(str(action), as_json(given), delay_s, item)


def item_request(spec: TaskSpec, scope: Scope, value: Any, index: int, delay_s: int) -> ActionRequest:
    """The action request of one item."""
    assert spec.with_items is not None
    return request(spec, replace(scope, item=_named(spec.with_items.names, value), has_item=True), delay_s, index)


def _delay(value: Any, scope: Scope) -> int:
    delay = evaluate(value, scope)
    if delay is None:
        return 0
    if not isinstance(delay, int):
        raise TypeError(NOT_AN_INTEGER_DELAY)
    return int(delay)


def _items(spec: WithSpec, scope: Scope) -> tuple[list[Any], int | None]:
    values = evaluate(spec.expression, scope)
    if isinstance(values, (tuple, set, frozenset)):
        values = list(values)
    if not isinstance(values, list):
        raise TypeError(f'The value of "{spec.expression}" is not type of list.')
    concurrency = evaluate(spec.concurrency, scope)
    if concurrency is None:
        return as_json(values), None
    if isinstance(concurrency, bool) or not isinstance(concurrency, int):
        raise TypeError(f"'<=' not supported between instances of '{type(concurrency).__name__}' and 'int'")
    return as_json(values), max(concurrency, 1)


def _named(names: tuple[str, ...], value: Any) -> Any:
    """The item as ``item()`` shows it (workflows.md 6.8)."""
    if not names:
        return value
    if isinstance(value, list):
        return dict(zip(names, value, strict=False))
    return {names[0]: value} if len(names) == 1 else value


def retry_plan(spec: TaskSpec, scope: Scope) -> dict[str, Any] | None:
    """Count and delay of a task's retry as numbers.

    Raises:
        EvaluationError: an expression failed.
        ValueError: one of them is not an integer.
    """
    if spec.retry is None:
        return None
    plan: dict[str, Any] = {"when": spec.retry.when, "tally": 0}
    for key, value in (("count", spec.retry.count), ("delay", spec.retry.delay)):
        number = evaluate(value, scope)
        if number is None and key == "delay":
            number = 0
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f'The retry {key} for task "{spec.id}" is not an integer.')
        plan[key] = number
    return plan


def with_workflow_id(values: dict[str, Any], workflow_id: str) -> dict[str, Any]:
    """The initial context with ``st2.workflow_execution_id``, which inputs and vars do not see yet (workflows.md 3.5)."""
    return merged(values, {"st2": {"workflow_execution_id": workflow_id}}) if isinstance(values.get("st2"), dict) else values
