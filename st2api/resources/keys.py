"""The datastore (api.md 4.13)."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import Call, Param, Routes
from st2api.query import page_limit, page_offset
from st2common.datastore import SYSTEM, USER
from st2common.datastore_keys import SCOPES, DatastoreKeys, full_scope, stored_name
from st2common.exceptions import Forbidden, Invalid
from st2common.internal_triggers import InternalTriggers
from st2common.models import KeyValuePair
from st2common.security.access import Subject
from st2common.store.query import Query, starts_with

routes = Routes("keys")

_SCHEMA = KeyValuePair.api_schema()
_SCHEMA["properties"]["user"] = {"type": "string"}
_SCOPE = Param("scope", description=f"one of {', '.join(SCOPES)}; all")
_USER = Param("user", description="another user's scope (administrators with RBAC on)")
_DECRYPT = Param("decrypt", "boolean", False, "show secret values in clear")
ALL = "all"


def keys_of(call: Call) -> DatastoreKeys:
    """The datastore's writer."""
    platform = call.platform
    return DatastoreKeys(platform.store, platform.datastore, InternalTriggers(platform.dispatcher))


def _user(call: Call, wanted: str | None) -> str:
    """Whose user scope is meant.

    Raises:
        Forbidden: somebody else's, without being an administrator with RBAC on.
    """
    if not wanted or wanted == call.requester.user:
        return call.requester.user
    if not (call.platform.config.rbac.enable and call.requester.is_admin):
        raise Forbidden('"user" attribute can only be provided by admins when RBAC is enabled')
    return wanted


def _place(call: Call, scope: str | None, user: str | None) -> tuple[str, str]:
    """(full scope, user) of one key; ``all`` means system, naming a user means the user scope."""
    full = full_scope(None if scope == ALL else scope)
    whose = _user(call, user)
    return (USER if user else full), whose


def _may_decrypt(call: Call, scope: str, whose: str) -> None:
    if call.query["decrypt"] and not call.requester.is_admin and not (scope == USER and whose == call.requester.user):
        raise Forbidden("Decrypt option requires administrator access")


def _subject(scope: str, name: str, whose: str) -> Subject:
    return Subject(f"key_value_pair:{scope}:{name}", owner=whose if scope == USER else None)


@routes("GET", "/keys", permission="key_value_pair_list", answer={"type": "array", "items": _SCHEMA},
        query=(Param("prefix", description="start of the name"), _SCOPE, _USER, _DECRYPT, Param("limit", "integer"), Param("offset", "integer", 0),
               Param("sort", "array"), Param("name")))  # fmt: skip
def list_all(call: Call) -> list[dict[str, Any]]:
    """List keys of a scope."""
    scope, wanted = call.query["scope"], call.query["user"]
    if scope not in (None, ALL, *SCOPES):
        raise Invalid(f"Invalid scope: {scope if scope.startswith('st2kv.') else f'st2kv.{scope}'}")
    whose = _user(call, wanted)
    scopes = (USER,) if wanted else (SYSTEM, USER) if scope == ALL else (full_scope(scope),)
    forms: list[dict[str, Any]] = []
    for one in scopes:
        _may_decrypt(call, one, whose)
        forms += _page(call, one, whose)
    return forms


def _page(call: Call, scope: str, whose: str) -> list[dict[str, Any]]:
    keys, asked = keys_of(call), call.query
    if asked["name"] is not None:
        criteria: dict[str, Any] = {"scope": scope, "name": stored_name(scope, asked["name"], whose)}
    else:
        criteria = {"scope": scope, "name": starts_with(stored_name(scope, asked["prefix"] or "", whose))}
    order = [(key.lstrip("+-"), -1 if key.startswith("-") else 1) for key in asked["sort"] or () if key.lstrip("+-") in ("name", "scope")]
    found, _ = call.platform.store.keys.page(Query(criteria, order or [("name", 1)], page_limit(call, 100), page_offset(call)))
    visible = [pair for pair in found if call.requester.may("key_value_pair_view", _subject(scope, pair.name, whose))]
    return [keys.shown(pair, decrypt=asked["decrypt"]) for pair in visible]


@routes("GET", "/keys/{name}", object_permission="key_value_pair_view", query=(_SCOPE, _USER, _DECRYPT), answer=_SCHEMA, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one key."""
    scope, whose = _place(call, call.query["scope"], call.query["user"])
    _may_decrypt(call, scope, whose)
    keys, name = keys_of(call), stored_name(scope, call.path["name"], whose)
    call.authorize(_subject(scope, name, whose))
    return keys.shown(keys.get(scope, name), decrypt=call.query["decrypt"])


_SET = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "required": True},
        "value": {"type": "string", "required": True},
        "scope": {"type": ["string", "null"]},
        "user": {"type": ["string", "null"]},
        "description": {"type": ["string", "null"]},
        "secret": {"type": "boolean", "default": False},
        "encrypted": {"type": "boolean", "default": False},
        "ttl": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31},
    },
    "additionalProperties": True,
}


@routes("PUT", "/keys/{name}", object_permission="key_value_pair_set", query=(_SCOPE, _USER), body=_SET, answer=_SCHEMA)
def put(call: Call) -> dict[str, Any]:
    """Create or overwrite a key."""
    body = call.body
    scope, whose = _place(call, body.get("scope") or call.query["scope"], body.get("user") or call.query["user"])
    keys, name = keys_of(call), stored_name(scope, call.path["name"], whose)
    call.authorize(_subject(scope, name, whose))
    pair = keys.set(
        scope, name, body["value"], secret=body["secret"], encrypted=body["encrypted"], ttl_s=body.get("ttl"), description=body.get("description")
    )
    return pair.to_api()


@routes("DELETE", "/keys/{name}", object_permission="key_value_pair_delete", query=(_SCOPE, _USER), status=204)
def delete(call: Call) -> None:
    """Delete a key."""
    scope, whose = _place(call, call.query["scope"], call.query["user"])
    name = stored_name(scope, call.path["name"], whose)
    call.authorize(_subject(scope, name, whose))
    keys_of(call).delete(scope, name)
