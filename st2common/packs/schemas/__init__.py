"""What each kind of metadata may hold, in the product's dialect of JSON schema: draft 4 with ``required: true`` on a property.

One declaration per kind serves the files of packs and the bodies of API requests alike.
"""

from st2common.packs.schemas.resources import NOTIFY_SCHEMA, OUTPUT_SCHEMA_DEFAULTS, SCHEMAS
from st2common.packs.schemas.tables import POLICY_TYPES, RULE_TYPES

__all__ = ["NOTIFY_SCHEMA", "OUTPUT_SCHEMA_DEFAULTS", "POLICY_TYPES", "RULE_TYPES", "SCHEMAS"]
