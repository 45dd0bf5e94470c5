"""Policies and policy types (api.md 4.15)."""

from __future__ import annotations

from typing import Any

from st2api.content import ContentList, schema_of
from st2api.endpoint import Call, Reply, Routes
from st2api.lookup import found, protect, tell
from st2api.query import LIST_HEADERS, Filter
from st2common.exceptions import NotFound
from st2common.packs import metadata
from st2common.packs.schemas import SCHEMAS

routes = Routes("policies")

TYPES = ContentList.of(
    "policy_type", Filter("resource_type", "resource_type"), Filter("id", "_id", "ids"), Filter("name", "name"),
    limit=100, order=(("resource_type", 1), ("name", 1)), sortable=True,
)  # fmt: skip
POLICIES = ContentList.of("policy", Filter("pack", "pack"), Filter("name", "name"), limit=100, order=(("pack", 1), ("name", 1)))
_POLICY = schema_of("policy")


@routes("GET", "/policytypes", permission="policy_type_list", query=TYPES.listing.params(), headers=LIST_HEADERS, answer=TYPES.schema)
def list_types(call: Call) -> Reply:
    """List policy types."""
    return TYPES.reply(call)


@routes("GET", "/policytypes/{ref_or_id}", object_permission="policy_type_view", answer=schema_of("policy_type"), metrics=False)
def get_type(call: Call) -> dict[str, Any]:
    """Get one policy type."""
    policy_type = found(call, "policy_type", text='PolicyType with a reference of id "{}" not found.')
    call.authorize(policy_type)
    return policy_type.to_api()


@routes("GET", "/policies", permission="policy_list", query=POLICIES.listing.params(), headers=LIST_HEADERS, answer=POLICIES.schema)
def list_all(call: Call) -> Reply:
    """List policies."""
    return POLICIES.reply(call)


@routes("POST", "/policies", permission="policy_create", body=SCHEMAS["policy"], status=201, answer=_POLICY)
def create(call: Call) -> dict[str, Any]:
    """Create a policy."""
    policy = call.platform.store.catalog.insert("policy", metadata.validate("policy", call.body))
    tell(call.platform, "policy")
    return policy.to_api()


def _policy(call: Call) -> Any:
    policy = found(call, "policy")
    call.authorize(policy)
    return policy


@routes("GET", "/policies/{ref_or_id}", object_permission="policy_view", answer=_POLICY, metrics=False)
def get(call: Call) -> dict[str, Any]:
    """Get one policy."""
    return _policy(call).to_api()


@routes("PUT", "/policies/{ref_or_id}", object_permission="policy_modify", body=SCHEMAS["policy"], answer=_POLICY)
def update(call: Call) -> dict[str, Any]:
    """Replace a policy."""
    policy = _policy(call)
    protect(policy.pack)
    replaced = call.platform.store.catalog.replace("policy", policy.id, metadata.validate("policy", call.body))
    if replaced is None:
        raise NotFound(f'Resource with a reference or id "{call.path["ref_or_id"]}" not found')
    tell(call.platform, "policy")
    return replaced.to_api()


@routes("DELETE", "/policies/{ref_or_id}", object_permission="policy_delete", status=204)
def delete(call: Call) -> None:
    """Delete a policy."""
    policy = _policy(call)
    protect(policy.pack)
    call.platform.store.catalog.delete("policy", policy.id)
    tell(call.platform, "policy")
