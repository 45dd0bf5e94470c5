"""What each kind of metadata may hold, in the product's dialect of JSON schema: draft 4 with ``required: true`` on a property.

One declaration per kind serves the files of packs and the bodies of API requests alike.
"""

from st2common.packs.schemas.parameter import NESTED_SCHEMA, OUTPUT_SCHEMA_DEFAULTS, PARAMETER_NAME, PARAMETER_SCHEMA, TYPES
from st2common.packs.schemas.resources import SCHEMAS
from st2common.packs.schemas.tables import POLICY_TYPES, RULE_TYPES

__all__ = ["NESTED_SCHEMA", "OUTPUT_SCHEMA_DEFAULTS", "PARAMETER_NAME", "PARAMETER_SCHEMA", "POLICY_TYPES", "RULE_TYPES", "SCHEMAS", "TYPES"]
