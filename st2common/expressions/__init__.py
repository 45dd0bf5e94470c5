"""Expressions inside text: Jinja templates with the platform's filters and datastore look-ups.

Pure: values come in, text and values go out; datastore reads and decryption are handed in as functions.
"""

from st2common.expressions.datastore import SYSTEM_SCOPE, USER_SCOPE, DatastoreNamespace, KeyValueLookup, UserKeyValueLookup, datastore_namespace
from st2common.expressions.errors import RenderError
from st2common.expressions.filters import NONE_MARKER
from st2common.expressions.jinja import Lazy, is_template, render, render_typed, render_value, template_variables

__all__ = [
    "NONE_MARKER",
    "SYSTEM_SCOPE",
    "USER_SCOPE",
    "DatastoreNamespace",
    "KeyValueLookup",
    "Lazy",
    "RenderError",
    "UserKeyValueLookup",
    "datastore_namespace",
    "is_template",
    "render",
    "render_typed",
    "render_value",
    "template_variables",
]
