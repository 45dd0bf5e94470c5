"""Who is asking, roles, and the registry of services (api.md 4.16)."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import Call, Param, Reply, Routes
from st2api.query import page_headers
from st2common.clock import from_us
from st2common.exceptions import Forbidden, Invalid, NotFound
from st2common.models import Role, RoleAssignment
from st2common.security.access import SYSTEM_ROLES, require_admin
from st2common.security.permissions import PERMISSION_TYPES
from st2common.service import REGISTRY_KIND

routes = Routes("access")

_OBJECT = {"type": "object"}
_ROLE, _ASSIGNMENT = Role.api_schema(), RoleAssignment.api_schema()
_UNKNOWN = 'Unable to identify resource with id "{}".'


@routes("GET", "/user", answer=_OBJECT)
def user(call: Call) -> dict[str, Any]:
    """Tell who is asking, and with what credentials."""
    requester = call.requester
    if requester.method is None:
        raise Invalid("Authentication is off, so there is no authenticated user.")
    how: dict[str, Any] = {"method": requester.method, "location": requester.location}
    if requester.token_expire_us is not None:
        how["token_expire"] = from_us(requester.token_expire_us).strftime("%Y-%m-%dT%H:%M:%SZ")
    rbac = {"enabled": call.platform.config.rbac.enable, "roles": list(requester.roles), "is_admin": requester.is_admin}
    return {"username": requester.user, "authentication": how, "rbac": rbac}


# -- roles ---------------------------------------------------------------------------------------------------------------------------


def _roles(call: Call) -> list[Role]:
    """All roles; the built-in ones are made when first asked for."""
    store = call.platform.store.roles
    found = store.list_roles()
    missing = SYSTEM_ROLES.keys() - {role.name for role in found}
    for name in missing:
        store.ensure_system_role(name, SYSTEM_ROLES[name])
    return store.list_roles() if missing else found


@routes("GET", "/rbac/roles", query=(Param("system", "boolean"),), headers=("X-Total-Count",), answer={"type": "array", "items": _ROLE})
def list_roles(call: Call) -> Reply:
    """List roles."""
    require_admin(call.requester)
    wanted = call.query["system"]
    forms = [role.to_api() for role in _roles(call) if wanted is None or role.system == wanted]
    return Reply(forms, headers=page_headers(len(forms), None))


@routes("GET", "/rbac/roles/{name_or_id}", answer=_ROLE)
def get_role(call: Call) -> dict[str, Any]:
    """Get one role."""
    require_admin(call.requester)
    wanted = call.path["name_or_id"]
    for role in _roles(call):
        if wanted in (role.name, str(role.id)):
            return role.to_api()
    raise NotFound(_UNKNOWN.format(wanted))


@routes("GET", "/rbac/role_assignments", headers=("X-Total-Count",), answer={"type": "array", "items": _ASSIGNMENT},
        query=(Param("user"), Param("role"), Param("source"), Param("remote", "boolean")))  # fmt: skip
def list_assignments(call: Call) -> Reply:
    """List who has which role; those who are not administrators see their own."""
    asked = call.query
    whose = asked["user"]
    if not call.requester.is_admin:
        if whose not in (None, call.requester.user):
            raise Forbidden(f'User "{call.requester.user}" is not an administrator')
        whose = call.requester.user
    wanted = {"user": whose, "role": asked["role"], "source": asked["source"], "is_remote": asked["remote"]}
    found = [
        one
        for one in call.platform.store.roles.list_assignments()
        if all(value is None or getattr(one, name) == value for name, value in wanted.items())
    ]
    return Reply([one.to_api() for one in found], headers=page_headers(len(found), None))


@routes("GET", "/rbac/role_assignments/{id}", answer=_ASSIGNMENT)
def get_assignment(call: Call) -> dict[str, Any]:
    """Get one assignment of a role."""
    wanted = call.path["id"]
    for one in call.platform.store.roles.list_assignments():
        if str(one.id) == wanted and (call.requester.is_admin or one.user == call.requester.user):
            return one.to_api()
    raise NotFound(_UNKNOWN.format(wanted))


@routes("GET", "/rbac/permission_types", answer=_OBJECT)
def list_permission_types(call: Call) -> dict[str, dict[str, str]]:
    """List permission types by resource type."""
    require_admin(call.requester)
    return PERMISSION_TYPES


@routes("GET", "/rbac/permission_types/{resource_type}", answer=_OBJECT)
def get_permission_types(call: Call) -> dict[str, str]:
    """List the permission types of a resource type."""
    require_admin(call.requester)
    wanted = call.path["resource_type"]
    if wanted not in PERMISSION_TYPES:
        raise NotFound(f"Invalid resource type: {wanted}")
    return PERMISSION_TYPES[wanted]


# -- service registry ----------------------------------------------------------------------------------------------------------------


@routes("GET", "/service_registry/groups", answer={"type": "object", "properties": {"groups": {"type": "array"}}, "required": ["groups"]})
def list_groups(call: Call) -> dict[str, list[str]]:
    """List the groups of running services."""
    require_admin(call.requester)
    return {"groups": sorted(_members(call))}


@routes(
    "GET",
    "/service_registry/groups/{group_id}/members",
    answer={"type": "object", "properties": {"members": {"type": "array"}}, "required": ["members"]},
)
def list_members(call: Call) -> dict[str, list[dict[str, Any]]]:
    """List the running services of a group."""
    require_admin(call.requester)
    group, members = call.path["group_id"], _members(call)
    if group not in members:
        raise NotFound(f'Group with ID "{group}" not found.')
    return {"members": members[group]}


def _members(call: Call) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for holder in call.platform.store.leases.holders(REGISTRY_KIND):
        info = dict(holder["info"])
        group = str(info.pop("group", ""))
        groups.setdefault(group, []).append({"group_id": group, "member_id": holder["owner"], "capabilities": info})
    return {group: sorted(members, key=lambda one: one["member_id"]) for group, members in groups.items()}
