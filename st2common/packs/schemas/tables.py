"""Kinds that ship with the platform: policy types (content.md 3.5) and rule types."""

from __future__ import annotations

from typing import Any

_CONCURRENCY: dict[str, Any] = {
    "threshold": {"description": "Concurrency threshold.", "type": "integer", "required": True},
    "action": {
        "description": "Which action to perform on the execution once the concurrency threshold has been reached.",
        "type": "string",
        "default": "delay",
        "enum": ["delay", "cancel"],
    },
}

_ATTRIBUTES: dict[str, Any] = {
    "description": "Parameters whose values must be equal for executions to count together.",
    "type": "array",
    "uniqueItems": True,
    "items": {"type": "string", "minLength": 1},
}

_RETRY: dict[str, Any] = {
    "retry_on": {
        "type": "string",
        "description": "End of an execution that leads to another attempt.",
        "required": True,
        "enum": ["failure", "timeout"],
    },
    "max_retry_count": {
        "type": "integer",
        "description": "Attempts after the first one.",
        "required": True,
        "minimum": 1,
        "maximum": 5,
        "default": 2,
    },
    "delay": {"type": "number", "description": "Pause before an attempt, seconds.", "required": False, "minimum": 0, "maximum": 120},
}


def _policy_type(name: str, description: str, module: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "resource_type": "action", "description": description, "enabled": True, "module": module, "parameters": parameters}


POLICY_TYPES: dict[str, dict[str, Any]] = {
    f"{row['resource_type']}.{row['name']}": row
    for row in (
        _policy_type("concurrency", "Limits the concurrent executions for the action.", "st2actions.policies.concurrency", _CONCURRENCY),
        _policy_type(
            "concurrency.attr",
            "Limits how many executions of an action with the same values of some parameters run at a time.",
            "st2actions.policies.concurrency_by_attr",
            {**_CONCURRENCY, "attributes": _ATTRIBUTES},
        ),
        _policy_type("retry", "Runs an action again when it failed or took too long.", "st2actions.policies.retry", _RETRY),
    )
}
"""Ref -> policy type."""

RULE_TYPES: list[dict[str, Any]] = [
    {"name": "standard", "description": "Runs its action whenever its criteria hold.", "enabled": True, "parameters": {}},
    {"name": "backstop", "description": "Runs its action when no other rule of the trigger matched.", "enabled": True, "parameters": {}},
]
