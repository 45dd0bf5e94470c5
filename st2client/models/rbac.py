"""Roles and who has them."""

from st2client.models.core import Resource


class Role(Resource):
    """A set of permissions."""

    _alias = "Role"
    _display_name = "Role"
    _plural = "Roles"
    _plural_display_name = "Roles"
    _url_path = "rbac/roles"
    _repr_attributes = ["id", "name", "system"]


class UserRoleAssignment(Resource):
    """A role given to a user."""

    _alias = "Role-Assignment"
    _display_name = "Role Assignment"
    _plural = "RoleAssignments"
    _plural_display_name = "Role Assignments"
    _url_path = "rbac/role_assignments"
    _repr_attributes = ["id", "role", "user", "is_remote"]
