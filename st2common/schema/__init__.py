"""JSON schemas as the product writes them: draft 4 with ``required: true`` on the property, ``secret``, ``immutable``, ``position``.

Pure: schemas and values in, values or errors out.
"""

from st2common.schema.defaults import with_defaults
from st2common.schema.dialect import ANY_TYPE, PARAMETER_METASCHEMA, SCHEMA_METASCHEMA, resource_schema
from st2common.schema.secrets import MASK, mask_parameters, mask_secrets
from st2common.schema.validator import InvalidSchema, SchemaViolation, Validator, check, compile_schema, validate_parameter_schema, validate_schema

__all__ = [
    "ANY_TYPE",
    "MASK",
    "PARAMETER_METASCHEMA",
    "SCHEMA_METASCHEMA",
    "InvalidSchema",
    "SchemaViolation",
    "Validator",
    "check",
    "compile_schema",
    "mask_parameters",
    "mask_secrets",
    "resource_schema",
    "validate_parameter_schema",
    "validate_schema",
    "with_defaults",
]
