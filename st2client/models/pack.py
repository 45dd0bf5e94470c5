"""Packs."""

from st2client.models.core import Resource


class Pack(Resource):
    """A bundle of content."""

    _display_name = "Pack"
    _plural = "Packs"
    _plural_display_name = "Packs"
    _repr_attributes = ["name", "description", "version", "author"]
