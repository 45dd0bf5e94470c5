"""Documents about who may do what: users, tokens, API keys, roles."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import BooleanField, ListField, StringField

from st2common.models.base import Resource
from st2common.models.fields import JsonField, MomentField


class User(Resource):
    """A known user; made at the first token."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "users", "indexes": [{"fields": ["name"], "unique": True}], "auto_create_index": False}  # fmt: skip

    name = StringField(required=True)
    is_service = BooleanField(default=False)
    nicknames = JsonField(default=dict)


class Token(Resource):
    """An access token, by hash (upstream keeps the text)."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "tokens", "indexes": [{"fields": ["token_hash"], "unique": True}, "expiry"], "auto_create_index": False}  # fmt: skip

    user = StringField(required=True)
    token_hash = StringField(required=True, private=True)
    expiry = MomentField(required=True)
    metadata = JsonField(default=dict)
    service = BooleanField(required=True, default=False)


class ApiKey(Resource):
    """An API key, by hash (SHA-512, api.md 3.5)."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "api_keys", "indexes": [{"fields": ["key_hash"], "unique": True}, "user"], "auto_create_index": False}  # fmt: skip

    user = StringField(required=True)
    key_hash = StringField(required=True)
    metadata = JsonField(default=dict)
    created_at = MomentField(required=True)
    enabled = BooleanField(required=True, default=True)

    @property
    def uid(self) -> str:
        """``api_key:<hash>``."""
        return f"api_key:{self.key_hash}"


class Role(Resource):
    """A named set of grants (operations.md section 9)."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "roles", "indexes": [{"fields": ["name"], "unique": True}], "auto_create_index": False}  # fmt: skip

    name = StringField(required=True)
    description = StringField(optional=True)
    system = BooleanField(required=True, default=False)
    permission_grants = JsonField("array", default=list)
    permission_grant_ids = ListField()
    permission_grant_objects = JsonField("array", default=list)


class RoleAssignment(Resource):
    """A user has a role."""

    meta: ClassVar[dict[str, Any]] = {
        "collection": "role_assignments", "indexes": ["user", "role"], "auto_create_index": False}  # fmt: skip

    user = StringField(required=True)
    role = StringField(required=True)
    description = StringField(optional=True)
    is_remote = BooleanField(required=True, default=False)
    source = StringField(optional=True)
