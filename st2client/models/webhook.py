"""Webhooks."""

from st2client.models.core import Resource


class Webhook(Resource):
    """A URL that takes events."""

    _alias = "Webhook"
    _display_name = "Webhook"
    _plural = "Webhooks"
    _plural_display_name = "Webhooks"
    _repr_attributes = ["parameters", "type", "pack", "name"]
