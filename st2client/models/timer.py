"""Timers."""

from st2client.models.core import Resource


class Timer(Resource):
    """A trigger of a timer type."""

    _alias = "Timer"
    _display_name = "Timer"
    _plural = "Timers"
    _plural_display_name = "Timers"
    _repr_attributes = ["name", "pack", "type", "parameters"]
