"""Traces."""

from st2client.models.core import Resource


class Trace(Resource):
    """What belongs together: events, rules and executions."""

    _alias = "Trace"
    _display_name = "Trace"
    _plural = "Traces"
    _plural_display_name = "Traces"
    _repr_attributes = ["id", "trace_tag"]
