"""What every document shares: the API form and its JSON schema derive from the fields, so there is one model per resource."""

from __future__ import annotations

from typing import Any, ClassVar

from bson import ObjectId
from mongoengine import BooleanField, Document, FloatField, IntField, ListField, ObjectIdField, StringField

from st2common.clock import iso_ms, iso_us
from st2common.models.fields import JsonField, MomentField


class Resource(Document):
    """Base of the documents.

    Class attributes:
        uid_kind: first part of the uid ("action"), or "" when the resource has none.
        api_order: names of derived attributes put before the fields (``uid``, ``ref``).
    """

    meta: ClassVar[dict[str, Any]] = {"abstract": True, "auto_create_index": False}
    uid_kind: ClassVar[str] = ""

    id = ObjectIdField(primary_key=True, default=ObjectId)

    @classmethod
    def collection_name(cls) -> str:
        """Name of the MongoDB collection."""
        return cls._meta["collection"]

    @classmethod
    def from_mongo(cls, document: dict[str, Any]) -> Any:
        """The instance for a raw document of the database."""
        return cls._from_son(document)

    @property
    def uid(self) -> str:
        """``<kind>:<name>``; pack resources put the pack between."""
        return f"{self.uid_kind}:{self.name}"

    def derived(self) -> dict[str, Any]:
        """Attributes of the API form that are computed from fields."""
        return {"uid": self.uid} if self.uid_kind else {}

    def to_api(self) -> dict[str, Any]:
        """The API form: plain JSON values."""
        result: dict[str, Any] = {"id": str(self.id), **self.derived()}
        for name, field in self._fields.items():
            if name == "id" or getattr(field, "private", False):
                continue
            value = getattr(self, name)
            if value is None:
                if not getattr(field, "optional", False):
                    result[name] = None
                continue
            result[name] = api_value(field, value)
        return result

    @classmethod
    def api_schema(cls) -> dict[str, Any]:
        """JSON schema of the API form."""
        properties: dict[str, Any] = {"id": {"type": "string", "pattern": "^[0-9a-f]{24}$"}}
        required = ["id"]
        for name in cls.derived_names():
            properties[name] = {"type": "string"}
            required.append(name)
        for name, field in cls._fields.items():
            if name == "id" or getattr(field, "private", False):
                continue
            properties[name] = schema_of(field)
            if not getattr(field, "optional", False):
                required.append(name)
        return {"type": "object", "properties": properties, "required": required}

    @classmethod
    def derived_names(cls) -> list[str]:
        """Names that ``derived`` gives."""
        return ["uid"] if cls.uid_kind else []


class PackResource(Resource):
    """A resource that lives in a pack: unique by (pack, name), referred to as ``pack.name``."""

    meta: ClassVar[dict[str, Any]] = {"abstract": True, "auto_create_index": False}

    name = StringField(required=True)
    pack = StringField(required=True)

    @property
    def ref(self) -> str:
        """``pack.name``."""
        return f"{self.pack}.{self.name}"

    @property
    def uid(self) -> str:
        return f"{self.uid_kind}:{self.pack}:{self.name}"

    def derived(self) -> dict[str, Any]:
        return {"uid": self.uid, "ref": self.ref}

    @classmethod
    def derived_names(cls) -> list[str]:
        return ["uid", "ref"]


def api_value(field: Any, value: Any) -> Any:
    """One field's value in the API form."""
    if isinstance(field, MomentField):
        return iso_ms(value) if field.precision == "ms" else iso_us(value)
    if isinstance(value, ObjectId):
        return str(value)
    return list(value) if isinstance(field, ListField) else value


_SIMPLE: tuple[tuple[type, dict[str, Any]], ...] = (
    (BooleanField, {"type": "boolean"}),
    (IntField, {"type": "integer"}),
    (FloatField, {"type": "number"}),
    (ListField, {"type": "array"}),
    (MomentField, {"type": "string", "format": "date-time"}),
    (StringField, {"type": "string"}),
    (ObjectIdField, {"type": "string"}),
)


def schema_of(field: Any) -> dict[str, Any]:
    """JSON schema of one field's API value."""
    if isinstance(field, JsonField):
        return {} if field.kind == "any" else {"type": field.kind}
    for kind, schema in _SIMPLE:
        if isinstance(field, kind):
            return (
                dict(schema)
                if getattr(field, "optional", False) or getattr(field, "required", False)
                else {**schema, "type": [schema["type"], "null"]}
            )
    return {}
