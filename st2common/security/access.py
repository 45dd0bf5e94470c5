"""Who asks, and may they: credentials to requester (api.md section 3), requester and permission to a decision (operations.md 9).

No secret is ever compared as text: tokens and API keys are looked up by their hash, so the time of an answer says nothing about how
much of a guess was right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from st2common.clock import from_us
from st2common.exceptions import Forbidden, Unauthorized
from st2common.models.base import PackResource, Resource
from st2common.security.permissions import GLOBAL_TYPES, KIND_OF, OBSERVER_TYPES, SUFFICIENT
from st2common.store.access import api_key_hash, token_hash

if TYPE_CHECKING:
    from st2common.platform import Platform

BY_TOKEN, BY_KEY = "authentication token", "API key"
ADMIN_ROLES = frozenset({"admin", "system_admin"})
OBSERVER_ROLE = "observer"
SYSTEM_ROLES = {
    "system_admin": "system_admin",
    "admin": "admin",
    "observer": "observer",
}
COOKIE = "auth-token"
_HEADER, _QUERY = "header", "query"
_SOURCES = (
    (_HEADER, "x-auth-token", BY_TOKEN), (_HEADER, "st2-api-key", BY_KEY),
    (_QUERY, "x-auth-token", BY_TOKEN), (_QUERY, "st2-api-key", BY_KEY),
)  # fmt: skip


@dataclass(frozen=True)
class Grants:
    """What a user's roles give, when RBAC is on.

    Attributes:
        observer: every list and view.
        anywhere: permission types granted without a resource.
        by_uid: resource uid -> permission types granted on it.
    """

    observer: bool = False
    anywhere: frozenset[str] = frozenset()
    by_uid: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Requester:
    """Who makes a request.

    Attributes:
        user: user name.
        is_admin: everybody is when RBAC is off.
        method: ``authentication token`` or ``API key``; None with authentication off.
        location: ``header`` (a cookie counts as one) or ``query``; None with authentication off.
        token_expire_us: when the token ends; None for keys, and for tokens that live as long as their execution.
        cookie: value of a ``Set-Cookie`` header for the answer, or None.
        roles: names of the user's roles (RBAC on).
        grants: None when RBAC is off: everything is allowed.
        service_execution: id of the running execution whose service token this is, or None.
    """

    user: str
    is_admin: bool = True
    method: str | None = None
    location: str | None = None
    token_expire_us: int | None = None
    cookie: str | None = None
    roles: tuple[str, ...] = ()
    grants: Grants | None = None
    service_execution: str | None = None

    def may(self, permission_type: str, resource: Any = None) -> bool:
        """Whether ``authorize`` lets it pass (for lists that show only what one may see)."""
        return is_allowed(self, permission_type, resource)


@dataclass(frozen=True)
class Subject:
    """A resource as RBAC sees it.

    Attributes:
        uid: its uid.
        inherits: uids of what it belongs to, whose grants count for it too (its pack; the action of an execution and that action's pack).
        owner: the user whose own item it is (user scope of the datastore), or None.
    """

    uid: str
    inherits: tuple[str, ...] = ()
    owner: str | None = None


# -- authentication ------------------------------------------------------------------------------------------------------------------


def authenticate(platform: Platform, headers: Mapping[str, str], query: Mapping[str, Any], cookies: Mapping[str, str]) -> Requester:
    """Find out who asks (api.md 3.1). The first credential that is present decides.

    Args:
        headers: by lower-case name.
        query: query parameters; the last of a repeated one counts.
        cookies: by name.

    Raises:
        Unauthorized: no credential, or one that is unknown, expired or disabled.
    """
    config = platform.config
    if not config.auth.enable:
        return Requester(config.system_user.user)
    for location, name, method in _SOURCES:
        value = headers.get(name) if location == _HEADER else _last(query.get(name))
        if value:
            return by_token(platform, value, location) if method == BY_TOKEN else by_api_key(platform, value, location)
    if cookies.get(COOKIE):
        return by_token(platform, cookies[COOKIE], _HEADER, set_cookie=False)
    raise Unauthorized("Unauthorized - One of Token or API key required.")


def by_token(platform: Platform, text: str, location: str, *, set_cookie: bool = True) -> Requester:
    """The requester behind an access token, or behind the service token of a running execution.

    Raises:
        Unauthorized: unknown or expired.
    """
    store = platform.store
    record = store.tokens.find(text)
    if record is None:
        execution = store.executions.by_token(token_hash(text))
        if execution is None:
            raise Unauthorized("Unauthorized")
        return requester(platform, execution["user"], method=BY_TOKEN, location=location, service_execution=str(execution["_id"]))
    if store.tokens.is_expired(record):
        raise Unauthorized("Unauthorized - Token has expired.")
    cookie = cookie_of(platform, text, record.expiry) if set_cookie else None
    return requester(platform, record.user, method=BY_TOKEN, location=location, token_expire_us=record.expiry, cookie=cookie)


def by_api_key(platform: Platform, text: str, location: str) -> Requester:
    """The requester behind an API key.

    Raises:
        Unauthorized: unknown or disabled.
    """
    key = platform.store.api_keys.find(text)
    if key is None:
        raise Unauthorized(f"Unauthorized - ApiKey with key_hash={api_key_hash(text)} not found.")
    if not key.enabled:
        raise Unauthorized("Unauthorized - API key is disabled.")
    return requester(platform, key.user, method=BY_KEY, location=location)


def requester(platform: Platform, user: str, **how: Any) -> Requester:
    """A known user with the roles that they have now."""
    if not platform.config.rbac.enable:
        return Requester(user, **how)
    roles = tuple(platform.store.roles.roles_of(user))
    return Requester(user, is_admin=not ADMIN_ROLES.isdisjoint(roles), roles=roles, grants=_grants(platform, roles), **how)


def cookie_of(platform: Platform, token: str, expiry_us: int) -> str:
    """Value of the ``Set-Cookie`` header that hands a token to a browser (api.md 3.1)."""
    options = platform.config.api
    left = max(0, (expiry_us - platform.clock.now_us()) // 1_000_000)
    expires = from_us(expiry_us).strftime("%a, %d-%b-%Y %H:%M:%S GMT")
    parts = [f"{COOKIE}={token}", f"Max-Age={left}", "Path=/", f"expires={expires}"]
    if options.auth_cookie_secure:
        parts.append("secure")
    parts.append("HttpOnly")
    if options.auth_cookie_same_site.lower() in ("lax", "strict", "none"):
        parts.append(f"SameSite={options.auth_cookie_same_site.lower()}")
    return "; ".join(parts)


def _grants(platform: Platform, names: tuple[str, ...]) -> Grants:
    own = set(names)
    anywhere: set[str] = set()
    by_uid: dict[str, frozenset[str]] = {}
    for role in platform.store.roles.list_roles() if own else ():
        if role.name not in own:
            continue
        for grant in role.permission_grant_objects or ():
            types = frozenset(grant.get("permission_types") or ())
            uid = grant.get("resource_uid")
            if uid:
                by_uid[uid] = by_uid.get(uid, frozenset()) | types
            else:
                anywhere |= types
    return Grants(OBSERVER_ROLE in own, GLOBAL_TYPES & anywhere, by_uid)


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list | tuple) and value else value


# -- authorization -------------------------------------------------------------------------------------------------------------------


def authorize(requester: Requester, permission_type: str, resource: Any = None) -> None:
    """The one RBAC decision: may the requester do this, to this?

    Args:
        permission_type: one of ``permissions.KIND_OF``.
        resource: a document of a resource, the raw document of an execution, a uid, a ``Subject``; None for permissions that are not
            about one thing.

    Raises:
        Forbidden: no role gives it.
    """
    if is_allowed(requester, permission_type, resource):
        return
    text = f'User "{requester.user}" doesn\'t have required permission "{permission_type}"'
    raise Forbidden(text if resource is None else f'{text} on resource "{subject_of(resource).uid}"')


def require_admin(requester: Requester) -> None:
    """For what only administrators may do.

    Raises:
        Forbidden: somebody else asks.
    """
    if not requester.is_admin:
        raise Forbidden(f'User "{requester.user}" is not an administrator')


def is_allowed(requester: Requester, permission_type: str, resource: Any = None) -> bool:
    """The decision itself, without the error."""
    if permission_type not in KIND_OF:
        raise ValueError(f'unknown permission type "{permission_type}"')
    grants = requester.grants
    if grants is None or requester.is_admin:
        return True
    subject = None if resource is None else subject_of(resource)
    if subject is not None and subject.owner is not None:
        return subject.owner == requester.user
    if grants.observer and permission_type in OBSERVER_TYPES:
        return True
    enough = SUFFICIENT[permission_type]
    if not enough.isdisjoint(grants.anywhere):
        return True
    if subject is None:
        return False
    return any(not enough.isdisjoint(grants.by_uid.get(uid, ())) for uid in (subject.uid, *subject.inherits))


def subject_of(resource: Any) -> Subject:
    """What RBAC looks at in a resource."""
    if isinstance(resource, Subject):
        return resource
    if isinstance(resource, str):
        owner = resource.split(":")[2] if resource.startswith(_USER_ITEM) else None
        return Subject(resource, _packs_of(resource), owner)
    if isinstance(resource, PackResource):
        return Subject(resource.uid, (f"pack:{resource.pack}",))
    if isinstance(resource, Resource):
        return subject_of(str(getattr(resource, "uid", None) or f"{resource.collection_name()}:{resource.id}"))
    if isinstance(resource, Mapping) and "action_ref" in resource:
        return execution_subject(str(resource["_id"]), str(resource["action_ref"]))
    raise TypeError(f"RBAC knows no resource of type {type(resource).__name__}")


def execution_subject(id: str, action_ref: str) -> Subject:
    """An execution: grants on its action and on that action's pack count for it."""
    pack, _, name = action_ref.partition(".")
    return Subject(f"execution:{id}", (f"action:{pack}:{name}", f"pack:{pack}"))


def inquiry_subject(id: str, workflow_action_ref: str | None) -> Subject:
    """An inquiry: who may run the workflow that asks may answer."""
    inherits = execution_subject(id, workflow_action_ref).inherits if workflow_action_ref else ()
    return Subject(f"inquiry:{id}", inherits)


def enforcement_subject(id: str, rule_uid: str) -> Subject:
    """A rule enforcement: grants on the rule and its pack count for it."""
    return Subject(f"rule_enforcement:{id}", (rule_uid, *_packs_of(rule_uid)))


_USER_ITEM = "key_value_pair:st2kv.user:"
_IN_PACKS = ("action", "rule", "sensor_type", "action_alias")


def _packs_of(uid: str) -> tuple[str, ...]:
    kind, _, rest = uid.partition(":")
    return (f"pack:{rest.partition(':')[0]}",) if kind in _IN_PACKS else ()
