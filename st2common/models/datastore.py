"""The datastore's document (content.md section 7)."""

from __future__ import annotations

from typing import Any, ClassVar

from mongoengine import BooleanField, DateTimeField, StringField

from st2common.models.base import Resource
from st2common.models.fields import MomentField


class KeyValuePair(Resource):
    """A named text; user-scoped names are stored as ``user:name`` and shown split."""

    uid_kind = "key_value_pair"
    meta: ClassVar[dict[str, Any]] = {
        "collection": "key_value_pairs",
        "indexes": [{"fields": ["scope", "name"], "unique": True}, {"fields": ["expires"], "expireAfterSeconds": 0}],
        "auto_create_index": False,
    }

    name = StringField(required=True)
    scope = StringField(required=True)
    value = StringField(required=True)
    description = StringField(optional=True)
    secret = BooleanField(required=True, default=False)
    encrypted = BooleanField(required=True, default=False)
    expire_timestamp = MomentField(optional=True)
    expires = DateTimeField(private=True)
    """The same moment as a date, for the database's own expiry."""

    @property
    def uid(self) -> str:
        return f"key_value_pair:{self.scope}:{self.name}"

    def to_api(self) -> dict[str, Any]:
        form = super().to_api()
        if self.scope == "st2kv.user" and ":" in self.name:
            form["user"], _, form["name"] = self.name.partition(":")
        return form
