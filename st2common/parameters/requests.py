"""Parameters of an execution: as requested, as validated, and as they are handed to the runner (execution.md 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from st2common.exceptions import CastError, Invalid
from st2common.parameters.casting import cast_parameter
from st2common.parameters.effective import Plan, Schemas, plan
from st2common.parameters.rendering import resolve
from st2common.schema.secrets import MASK


def _complete(made: Plan, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values, with the defaults of names that are absent, null or immutable."""
    values = dict(given)
    for name in made.effective:
        if values.get(name) is None or name in made.immutable:
            values[name] = made.default(name)
    return values


def request_parameters(
    *, runner_parameters: Schemas, action_parameters: Schemas, supplied: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters stored with an execution: the supplied ones rendered and cast, and templated defaults (execution.md 4.1).

    Args:
        runner_parameters: of the runner type.
        action_parameters: of the action.
        supplied: what the requester gave.
        variables: what templates may name besides parameters: ``st2kv`` (``expressions.datastore_namespace``), ``action_context``,
            ``config_context`` (a mapping, or a function that loads it when a template names it), in rules ``trigger``.

    Raises:
        ParamError: rendering failed.
        CastError: a value does not fit its type.
    """
    made = plan(runner_parameters, action_parameters)
    resolved = resolve(_complete(made, supplied), variables)
    names = [*supplied, *(name for name in made.templated if name not in supplied)]
    live = {}
    for name in names:
        try:
            live[name] = cast_parameter(resolved[name], made.types.get(name))
        except CastError as error:
            error.details = _cast_details(made, name, resolved[name], error)
            raise
    return live


def _cast_details(made: Plan, name: str, value: Any, error: CastError) -> str:
    """Which value does not fit, as a chain tells it (the API and orquesta show the bare text)."""
    shown, reason = (MASK, MASK) if made.effective.get(name, {}).get("secret") else (value, error)
    what = f'value "{shown}" (type: {type(value).__name__}) for parameter "{name}" of type "{made.types.get(name)}"'
    return f"Failed to cast {what}: {reason}. Perhaps the value is of an invalid type?"


def validate_request(*, runner_parameters: Schemas, action_parameters: Schemas, live: Mapping[str, Any]) -> dict[str, Any]:
    """Checks live parameters against the effective schema, then that no immutable one was given (execution.md 4.2).

    Returns:
        The live parameters; a null that has a default is replaced by it.

    Raises:
        SchemaViolation: the first violation's message.
        Invalid: ``Override of immutable parameter(s) [...] is unsupported.``
    """
    made = plan(runner_parameters, action_parameters)
    filled = made.validator.check(dict(live)) if made.validator else live
    overridden = [name for name in made.immutable if name in live]
    if overridden:
        raise Invalid(f"Override of immutable parameter(s) {overridden} is unsupported.", overridden[0])
    return {name: filled[name] if value is None else value for name, value in live.items()}


def final_parameters(
    *, runner_parameters: Schemas, action_parameters: Schemas, live: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the runner gets (execution.md 4.3): live parameters as literal values, defaults rendered, everything cast, then split.

    Returns:
        Runner parameters and action parameters; a name that the runner knows is among the first only.

    Raises:
        ParamError: rendering failed.
        CastError: a value does not fit its type.
    """
    made = plan(runner_parameters, action_parameters)
    values = _complete(made, live)
    kept = {name for name, value in live.items() if value is not None and name not in made.immutable}
    resolved = resolve(values, variables, literal=kept)
    cast = {name: cast_parameter(resolved[name], made.types[name]) for name in made.effective}
    runner = {name: value for name, value in cast.items() if name in made.runner_names}
    return runner, {name: value for name, value in cast.items() if name not in made.runner_names}
