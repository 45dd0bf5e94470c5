"""Credentials."""

from st2client.models.core import Resource


class Token(Resource):
    """A token of a user for some time."""

    _display_name = "Access Token"
    _plural = "Tokens"
    _plural_display_name = "Access Tokens"
    _repr_attributes = ["user", "expiry", "metadata"]


class ApiKey(Resource):
    """A key of a user or a machine, valid until deleted."""

    _display_name = "API Key"
    _plural = "ApiKeys"
    _plural_display_name = "API Keys"
    _repr_attributes = ["id", "user", "metadata"]
