"""Questions of workflows to people."""

from st2client.models.core import Resource


class Inquiry(Resource):
    """A question that waits for its answer."""

    _alias = "Inquiry"
    _display_name = "Inquiry"
    _plural = "Inquiries"
    _plural_display_name = "Inquiries"
    _url_path = "inquiries"
    _repr_attributes = ["id", "schema", "roles", "users", "route", "ttl"]
