"""Results against output schemas: validation (execution.md 8) and masking (execution.md 10)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from st2common.schema import SchemaViolation, check, mask_secrets

_MESSAGE = "Error validating output. See error output for more details."


def _is_full_schema(schema: Mapping[str, Any]) -> bool:
    """A JSON schema names its type; the legacy form maps property names to schemas."""
    return isinstance(schema.get("type"), str | list)


def validate_output(
    result: Any, runner_output_schema: Mapping[str, Any] | None, action_output_schema: Mapping[str, Any] | None, output_key: str | None
) -> dict[str, Any] | None:
    """Checks the result of a succeeded execution: the whole against the runner's schema, then the output against the action's.

    Args:
        result: of the runner.
        runner_output_schema: of the runner type; legacy and empty schemas are not checked.
        action_output_schema: of the action; the same.
        output_key: where in the result the action's output is; without one only the runner's schema counts.

    Returns:
        None when all is well, else the result that replaces the given one in a failed execution.
    """
    if not result:
        return None
    try:
        if runner_output_schema and _is_full_schema(runner_output_schema):
            check(result, dict(runner_output_schema), null_for_optional=False)
        if output_key and action_output_schema and _is_full_schema(action_output_schema):
            check(result[output_key], dict(action_output_schema), null_for_optional=False)
    except SchemaViolation as error:
        return {"error": error.long_text, "message": _MESSAGE}
    except Exception as error:  # noqa: BLE001 - a bad schema, a missing key or a result of another shape: told in the result
        return {"error": str(error), "message": _MESSAGE, "traceback": "".join(traceback.format_tb(error.__traceback__))}
    return None


def mask_result(result: Any, output_schema: Mapping[str, Any] | None, output_key: str | None) -> Any:
    """The result with the parts of its output masked that the output schema calls secret; the legacy flat form counts too."""
    if not output_schema or not output_key or not isinstance(result, Mapping) or output_key not in result:
        return result
    output = mask_secrets(result[output_key], output_schema)
    if not _is_full_schema(output_schema):
        output = mask_secrets(output, {"type": "object", "properties": output_schema})
    return {**result, output_key: output}
