"""Parameters of actions: the effective schema, rendering in dependency order, casting, validation, masking.

Pure: schemas, values and variables in; values or errors out. Rules in content.md 3.1 and execution.md 4, 8, 10.
"""

from st2common.parameters.casting import cast
from st2common.parameters.effective import check_action_parameters, effective_schema
from st2common.parameters.outputs import mask_result, validate_output
from st2common.parameters.rendering import resolve
from st2common.parameters.requests import final_parameters, request_parameters, validate_request
from st2common.schema import mask_parameters

__all__ = [
    "cast",
    "check_action_parameters",
    "effective_schema",
    "final_parameters",
    "mask_parameters",
    "mask_result",
    "request_parameters",
    "resolve",
    "validate_output",
    "validate_request",
]
