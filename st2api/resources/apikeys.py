"""API keys (api.md 4.14)."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import SHOW_SECRETS, Call, Param, Reply, Routes
from st2api.query import LIST_HEADERS, page_headers, page_limit, page_offset
from st2common.exceptions import Invalid, NotFound
from st2common.models import ApiKey
from st2common.refs import is_object_id
from st2common.schema import MASK
from st2common.store.query import Query

routes = Routes("API keys")

_KEY = ApiKey.api_schema()
_KEY["properties"]["uid"] = {"type": "string"}
_CREATED = {**_KEY, "properties": {**_KEY["properties"], "key": {"type": ["string", "null"]}}, "required": ["id", "user", "key"]}
_LIMIT = 50


def _form(call: Call, key: Any, *, masked: bool | None = None) -> dict[str, Any]:
    form = {**key.to_api(), "uid": key.uid}
    if masked is None:
        masked = call.platform.config.api.mask_secrets and not call.shows_secrets()
    return {**form, "uid": MASK, "key_hash": MASK} if masked else form


def _found(call: Call) -> Any:
    """By id, or by the key's own text."""
    wanted = call.path["api_key_id_or_key"]
    keys = call.platform.store.api_keys
    key = (keys.get(wanted) if is_object_id(wanted) else None) or keys.find(wanted)
    if key is None:
        raise NotFound(f"ApiKey with key or id={wanted} not found.")
    call.authorize(key)
    return key


@routes("GET", "/apikeys", permission="api_key_list", query=(Param("limit", "integer"), Param("offset", "integer", 0), SHOW_SECRETS),
        headers=LIST_HEADERS, answer={"type": "array", "items": _KEY})  # fmt: skip
def list_all(call: Call) -> Reply:
    """List API keys."""
    limit = page_limit(call, _LIMIT)
    keys, total = call.platform.store.api_keys.page(Query({}, [("_id", 1)], limit, page_offset(call)))
    return Reply([_form(call, key) for key in keys], headers=page_headers(total, limit))


_TEXT = {"type": ["string", "null"]}
_BODY = {
    "type": "object",
    "properties": {
        "id": _TEXT, "uid": _TEXT, "user": _TEXT, "key_hash": _TEXT, "metadata": {"type": "object", "default": {}}, "created_at": _TEXT,
        "enabled": {"type": "boolean", "default": True},
    },
    "additionalProperties": False,
}  # fmt: skip


@routes("POST", "/apikeys", permission="api_key_create", body=_BODY, status=201, answer=_CREATED)
def create(call: Call) -> dict[str, Any]:
    """Create an API key; its text is shown in this answer only."""
    body, store = call.body, call.platform.store
    user = call.acting_user(body.get("user"))
    id = body.get("id")
    store.users.ensure(user)
    text, key = store.api_keys.create(
        user, metadata=body["metadata"], enabled=body["enabled"], key_hash=body.get("key_hash") or None, id=id if is_object_id(id) else None
    )
    form = _form(call, key, masked=False)
    del form["key_hash"]
    return {**form, "key": text}


@routes("GET", "/apikeys/{api_key_id_or_key}", object_permission="api_key_view", query=(SHOW_SECRETS,), answer=_KEY, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one API key."""
    return _form(call, _found(call))


@routes("PUT", "/apikeys/{api_key_id_or_key}", object_permission="api_key_modify", body=_BODY, answer=_KEY)
def update(call: Call) -> dict[str, Any]:
    """Replace an API key's user, metadata and state."""
    key, body = _found(call), call.body
    given = body.get("key_hash")
    if given and given not in (MASK, key.key_hash):
        raise Invalid("Update of key_hash is not allowed.", "key_hash")
    if not body.get("user"):
        raise Invalid("'user' is a required property", "user")
    user = call.acting_user(body["user"])
    call.platform.store.users.ensure(user)
    if not call.platform.store.api_keys.update(key.id, user=user, metadata=body["metadata"], enabled=body["enabled"]):
        raise NotFound(f"ApiKey with key or id={call.path['api_key_id_or_key']} not found.")
    form = {**_form(call, key, masked=False), "user": user, "metadata": body["metadata"], "enabled": body["enabled"]}
    return {**form, "uid": f"api_key:{given or ''}"}  # upstream makes it from the body


@routes("DELETE", "/apikeys/{api_key_id_or_key}", object_permission="api_key_delete", status=204)
def delete(call: Call) -> None:
    """Delete an API key."""
    call.platform.store.api_keys.delete(_found(call).id)
