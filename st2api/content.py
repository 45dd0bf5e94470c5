"""Lists and single objects of content kinds, the same for all of them: a table row per kind, three handlers' worth of code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from st2api.endpoint import Call, Reply, Schema
from st2api.query import Criteria, Filter, Listing
from st2common.store.catalog import KINDS


def schema_of(kind: str) -> Schema:
    """JSON schema of a kind's API form."""
    return KINDS[kind].api_schema()


def some_of(schema: Schema) -> Schema:
    """The schema of a form whose attributes were chosen: only the id is sure."""
    return {**schema, "required": ["id"]}


@dataclass(frozen=True)
class ContentList:
    """The list endpoint of a kind.

    Attributes:
        kind: of the catalog.
        listing: parameters, order, limits.
    """

    kind: str
    listing: Listing
    schema: Schema = field(default_factory=dict)

    @classmethod
    def of(cls, kind: str, *filters: Filter, any_field: bool = False, **options: Any) -> ContentList:
        """A list of a kind. ``any_field``: unknown names in ``include_attributes`` are let pass."""
        schema = schema_of(kind)
        names = frozenset(schema["properties"])
        pack_resource = {"pack", "ref"} <= names
        listing = Listing(filters, fields=None if any_field else names, always=("id", "ref") if pack_resource else ("id",), **options)
        return cls(kind, listing, {"type": "array", "items": some_of(schema)})

    def page(self, call: Call, criteria: Criteria | None = None) -> tuple[list[Any], int]:
        """The documents of the page and the number of all matches."""
        return call.platform.store.catalog.page(self.kind, self.listing.query(call, criteria=criteria))

    def reply(self, call: Call) -> Reply:
        """The whole answer for kinds whose form is the document's own."""
        shape = self.listing.shape(call)
        documents, total = self.page(call)
        return self.listing.reply(call, [shape.apply(document.to_api()) for document in documents], total)
