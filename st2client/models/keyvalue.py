"""Datastore."""

from typing import Any

from st2client.models.core import Resource


class KeyValuePair(Resource):
    """A name with a value in the datastore."""

    _alias = "Key"
    _display_name = "Key Value Pair"
    _plural = "Keys"
    _plural_display_name = "Key Value Pairs"
    _repr_attributes = ["name", "value"]

    @property
    def id(self) -> str:
        """Always the name: that is how the server finds a pair. Assigning is allowed and ignored (pyclient.md 5)."""
        return self.name

    @id.setter
    def id(self, value: Any) -> None:
        pass
