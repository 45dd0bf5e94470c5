"""Running services."""

from st2client.models.core import Resource


class ServiceRegistryGroup(Resource):
    """A group of services."""

    _alias = "Group"
    _display_name = "Group"
    _plural = "Groups"
    _plural_display_name = "Groups"
    _repr_attributes = ["group_id"]


class ServiceRegistryMember(Resource):
    """A service process."""

    _alias = "Group Member"
    _display_name = "Group Member"
    _plural = "Group Members"
    _plural_display_name = "Group Members"
    _repr_attributes = ["group_id", "member_id"]
