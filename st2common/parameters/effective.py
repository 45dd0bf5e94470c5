"""The effective parameters of an action: the runner's, changed and extended by the action's own (content.md 3.1.1)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from st2common.exceptions import Invalid
from st2common.expressions import is_template
from st2common.schema import Validator, compile_schema, resource_schema

OVERRIDABLE_RUNNER_ATTRIBUTES = frozenset({"default", "description", "enum", "immutable", "required"})
_PLANS = 1024

Schemas = Mapping[str, Mapping[str, Any]]


def effective_schema(runner_parameters: Schemas, action_parameters: Schemas) -> dict[str, dict[str, Any]]:
    """Name to schema: runner parameters merged attribute by attribute with the action's, which win; ``immutable`` is an OR."""
    effective = {name: dict(schema) for name, schema in runner_parameters.items()}
    for name, schema in action_parameters.items():
        merged = {**effective.get(name, {}), **schema}
        if name in effective and (effective[name].get("immutable") or schema.get("immutable")):
            merged["immutable"] = True
        effective[name] = merged
    return effective


def check_action_parameters(runner_parameters: Schemas, action_parameters: Schemas, *, action_ref: str = "") -> None:
    """The checks of an action's parameters when it is registered (content.md 3.1.1), beyond the schema of each parameter.

    Args:
        runner_parameters: of the runner type.
        action_parameters: of the action.
        action_ref: for the message.

    Raises:
        Invalid: the first violation.
    """
    positions: dict[Any, str] = {}
    for name, schema in action_parameters.items():
        runner_schema = runner_parameters.get(name)
        if runner_schema is not None:
            _check_override(name, schema, runner_schema, action_ref)
        if "immutable" in schema:
            _check_immutable(name, schema, runner_schema)
        if "position" in schema:
            position = schema["position"]
            if position in positions:
                raise Invalid(f"Parameters {name} and {positions[position]} have same position {position}. Position values have to be unique.", name)
            positions[position] = name
    _check_contiguous(positions)


def _check_override(name: str, schema: Mapping[str, Any], runner_schema: Mapping[str, Any], action_ref: str) -> None:
    for attribute, value in schema.items():
        if attribute not in OVERRIDABLE_RUNNER_ATTRIBUTES and value != runner_schema.get(attribute):
            raise Invalid(
                f'The attribute "{attribute}" for the runner parameter "{name}" in action "{action_ref}" cannot be overridden.', f"{name}.{attribute}"
            )


def _check_immutable(name: str, schema: Mapping[str, Any], runner_schema: Mapping[str, Any] | None) -> None:
    if runner_schema is not None and "immutable" in runner_schema:
        raise Invalid(f"Param {name} is declared immutable in runner. Cannot override in action.", name)
    if "default" not in schema and (runner_schema is None or "default" not in runner_schema):
        raise Invalid(f"Immutable param {name} requires a default value.", name)


def _check_contiguous(positions: Mapping[Any, str]) -> None:
    ordered = sorted(positions)
    if any(later - earlier != 1 for earlier, later in zip(ordered, ordered[1:], strict=False)):
        raise Invalid(f"Positions supplied {ordered} for parameters are not contiguous.")


@dataclass(frozen=True)
class Plan:
    """What requests of one action need to know about its parameters, worked out once."""

    effective: dict[str, dict[str, Any]]
    runner_names: frozenset[str]
    types: dict[str, str | None]
    """Type to cast to; a runner parameter's is the runner's."""
    defaults: dict[str, Any]
    """Default of every name, the action's before the runner's; None where there is none."""
    immutable: tuple[str, ...]
    """Names that no request may give: the action's first."""
    templated: tuple[str, ...]
    """Names that can be given and whose default is a template."""
    validator: Validator | None
    """None when there are no parameters at all: then any are accepted."""

    def default(self, name: str) -> Any:
        """The default of a parameter, free to be changed by whoever asked."""
        value = self.defaults[name]
        return copy.deepcopy(value) if isinstance(value, dict | list) else value


def plan(runner_parameters: Schemas, action_parameters: Schemas) -> Plan:
    """The plan of a pair of parameter sets, remembered by content."""
    try:
        content = orjson.dumps((runner_parameters, action_parameters), option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # numbers beyond 64 bits and the like
        return _make_plan(copy.deepcopy(dict(runner_parameters)), copy.deepcopy(dict(action_parameters)))
    return _cached_plan(content)


@lru_cache(maxsize=_PLANS)
def _cached_plan(content: bytes) -> Plan:
    return _make_plan(*orjson.loads(content))


def _make_plan(runner: dict[str, Any], action: dict[str, Any]) -> Plan:
    effective = effective_schema(runner, action)
    defaults = {name: _effective_default(name, runner, action) for name in effective}
    immutable = [name for schemas in (action, runner) for name, schema in schemas.items() if schema.get("immutable")]
    return Plan(
        effective=effective,
        runner_names=frozenset(runner),
        types={name: (runner[name] if name in runner else action[name]).get("type") for name in effective},
        defaults=defaults,
        immutable=tuple(dict.fromkeys(immutable)),
        templated=tuple(name for name in effective if name not in immutable and is_template(defaults[name])),
        validator=compile_schema(resource_schema(effective)) if effective else None,
    )


def _effective_default(name: str, runner: Mapping[str, Any], action: Mapping[str, Any]) -> Any:
    """The action's default unless absent or null, else the runner's; a default that the runner calls immutable stands."""
    own, inherited = action.get(name, {}).get("default"), runner.get(name, {}).get("default")
    return inherited if own is None or (runner.get(name, {}).get("immutable") and "default" in runner[name]) else own
