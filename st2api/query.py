"""Lists, the same for every resource: filters, sorting, pages, choice of attributes (api.md 2.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from st2api.endpoint import Call, Param, Reply
from st2common.clock import to_us
from st2common.exceptions import Forbidden, Invalid
from st2common.refs import is_object_id
from st2common.store.query import Query

MAX_INT = 2**31
LIST_HEADERS = ("X-Total-Count", "X-Limit")

_TIMESTAMP = re.compile(r"^(\d{4}-\d{2}-\d{2})(?:\s|T)(\d{2}:\d{2}:\d{2})(\.\d{3,6})?(?:Z|\+00|\+0000|\+00:00)$", re.ASCII)
_TRUE, _FALSE = ("true", "1", "yes", "y"), ("false", "0", "no", "n")

Criteria = dict[str, Any]


# -- single values -------------------------------------------------------------------------------------------------------------------


def parse_timestamp(text: str) -> int:
    """Microseconds of an ISO 8601 moment in UTC (api.md 2.5).

    Raises:
        Invalid: another form, or no such moment.
    """
    found = _TIMESTAMP.match(text)
    try:
        if found is None:
            raise ValueError
        return to_us(datetime.fromisoformat(f"{found[1]}T{found[2]}{(found[3] or '').ljust(7, '0') if found[3] else ''}+00:00"))
    except ValueError as error:
        raise Invalid("Datetime value does not match expected format.") from error


def parse_bool(text: str) -> bool | None:
    """The boolean behind one of the words that the API takes; None for another word."""
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def enabled_word(text: str) -> bool:
    """The value of an ``enabled`` filter.

    Raises:
        Invalid: no such word.
    """
    found = {"t": True, "on": True, "f": False, "off": False}.get(text.lower(), parse_bool(text))
    if found is None:
        raise Invalid(f'Invalid bool representation "{text}" provided.')
    return found


def object_ids(texts: Iterable[str]) -> list[ObjectId]:
    """The ids among ``texts``; what is no id names nothing."""
    return [ObjectId(text) for text in texts if is_object_id(text)]


# -- filters -------------------------------------------------------------------------------------------------------------------------


def _text(field: str, value: str) -> Criteria:
    return {field: value}


def _one_of(field: str, value: str) -> Criteria:
    parts = [part for part in value.split(",") if part]
    return {field: parts[0] if len(parts) == 1 else {"$in": parts}}


def _ids(field: str, value: str) -> Criteria:
    found = object_ids(value.split(","))
    return {field: found[0] if len(found) == 1 else {"$in": found}}


def _enabled(field: str, value: str) -> Criteria:
    return {field: enabled_word(value)}


_CONVERTERS: Mapping[str, Callable[[str, Any], Criteria]] = {
    "text": _text, "one_of": _one_of, "ids": _ids, "enabled": _enabled,
    "moment": lambda field, value: {field: value}, "gt": lambda field, value: {field: {"$gt": value}},
    "lt": lambda field, value: {field: {"$lt": value}},
}  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """A query parameter that narrows a list.

    Attributes:
        name: of the parameter.
        field: stored field.
        kind: "text", "one_of" (comma list), "ids", "enabled", "moment", "gt", "lt" (timestamps), or "custom".
        custom: makes the criteria itself, for kind "custom".
    """

    name: str
    field: str
    kind: str = "text"
    custom: Callable[[Call, str], Criteria] | None = None
    description: str = ""

    def param(self) -> Param:
        """How the parameter is declared."""
        return Param(self.name, "timestamp" if self.kind in ("moment", "gt", "lt") else "string", description=self.description)

    def criteria(self, call: Call) -> Criteria:
        """What the parameter asks for; ``null`` in any case means "not set"."""
        value = call.query.get(self.name)
        if value is None:
            return {}
        if isinstance(value, str) and value.lower() == "null":
            return {self.field: None}
        if self.custom is not None:
            return self.custom(call, value)
        return _CONVERTERS[self.kind](self.field, value)


def merged(parts: Iterable[Criteria]) -> Criteria:
    """Criteria that all hold."""
    together: Criteria = {}
    more: list[Criteria] = []
    for part in parts:
        for key, value in part.items():
            if key not in together:
                together[key] = value
            elif isinstance(together[key], dict) and isinstance(value, dict) and not set(together[key]) & set(value):
                together[key] = {**together[key], **value}
            else:
                more.append({key: value})
    return {"$and": [together, *more]} if more else together


# -- lists ---------------------------------------------------------------------------------------------------------------------------

_SHAPE_PARAMS = (
    Param("include_attributes", "array", description="only these attributes"),
    Param("exclude_attributes", "array", description="without these attributes"),
)
_PAGE_PARAMS = (
    Param("limit", "integer", description="items on the page; -1 = all (administrators)"),
    Param("offset", "integer", 0, "items to skip"),
)


@dataclass(frozen=True)
class Shape:
    """Which attributes an answer shows.

    Attributes:
        include: top-level names to keep, None = all.
        exclude: top-level names to drop.
        always: names that stay whatever ``include`` says.
    """

    include: frozenset[str] | None
    exclude: frozenset[str]
    always: tuple[str, ...] = ("id",)

    def apply(self, form: dict[str, Any]) -> dict[str, Any]:
        """The form with the chosen attributes."""
        if self.include is not None:
            return {name: value for name, value in form.items() if name in self.include or name in self.always}
        if self.exclude:
            return {name: value for name, value in form.items() if name not in self.exclude or name == "id"}
        return form


@dataclass(frozen=True)
class Listing:
    """What a list endpoint offers. One declaration gives its query parameters, its database query and its headers.

    Attributes:
        filters: parameters that narrow the list.
        order: default order as stored (field, direction) pairs.
        limit: page size where the caller names none; None = everything.
        sortable: whether ``sort`` is honoured.
        fields: names that ``include_attributes`` may hold; None = any.
        always: names that stay with ``include_attributes``.
        excludable: names that ``exclude_attributes`` may hold; None = any.
        sort_keys: more sort keys -> stored fields.
    """

    filters: tuple[Filter, ...] = ()
    order: tuple[tuple[str, int], ...] = ()
    limit: int | None = 100
    sortable: bool = False
    fields: frozenset[str] | None = None
    always: tuple[str, ...] = ("id",)
    excludable: frozenset[str] | None = None
    sort_keys: tuple[tuple[str, str], ...] = ()

    def params(self, *more: Param) -> tuple[Param, ...]:
        """The query parameters of the endpoint."""
        sort = (Param("sort", "array", description="keys to sort by, with - for descending"),) if self.sortable else ()
        return (*(one.param() for one in self.filters), *_PAGE_PARAMS, *sort, *_SHAPE_PARAMS, *more)

    def query(self, call: Call, *, criteria: Criteria | None = None, order: Sequence[tuple[str, int]] | None = None) -> Query:
        """The database query that a request asks for."""
        parts = [one.criteria(call) for one in self.filters]
        return Query(
            merged([*parts, criteria or {}]), self.sort(call) or list(order if order is not None else self.order),
            page_limit(call, self.limit), page_offset(call),
        )  # fmt: skip

    def sort(self, call: Call) -> list[tuple[str, int]]:
        """What ``sort`` asks for; unknown keys are skipped."""
        if not self.sortable:
            return []
        known = {"id": "_id", "name": "name", **{one.name: one.field for one in self.filters}, **dict(self.sort_keys)}
        found: dict[str, int] = {}
        for key in call.query.get("sort") or ():
            name = key.lstrip("+-").strip()
            if name in known:
                found.setdefault(known[name], -1 if key.startswith("-") else 1)
        return list(found.items())

    def shape(self, call: Call) -> Shape:
        """Which attributes a request asks for.

        Raises:
            Invalid: unknown names, or both ways at once.
        """
        include, exclude = call.query.get("include_attributes"), call.query.get("exclude_attributes")
        if include and exclude:
            raise Invalid(
                "exclude_fields and include_fields arguments are mutually exclusive. You need to provide either one or another, but not both."
            )
        for name in include or ():
            if self.fields is not None and name.partition(".")[0] not in self.fields:
                raise Invalid(f"Invalid or unsupported include attribute specified: {name}")
        for name in exclude or ():
            if self.excludable is not None and name not in self.excludable:
                raise Invalid(f"Invalid or unsupported exclude attribute specified: {name}")
        tops = None if not include else frozenset(name.partition(".")[0] for name in include)
        return Shape(tops, frozenset(name.partition(".")[0] for name in exclude or ()), self.always)

    def reply(self, call: Call, items: Sequence[Any], total: int) -> Reply:
        """The page with its headers."""
        return Reply(items, headers=page_headers(total, page_limit(call, self.limit)))


def page_headers(total: int, limit: int | None) -> dict[str, str]:
    """``X-Total-Count``, and ``X-Limit`` where there is one."""
    headers = {"X-Total-Count": str(total)}
    if limit is not None:
        headers["X-Limit"] = str(limit)
    return headers


def page_limit(call: Call, default: int | None) -> int | None:
    """The page size that counts, None = everything.

    Raises:
        Invalid: 0 or below -1.
        Forbidden: more than one may ask for.
    """
    limit = call.query.get("limit")
    if limit is None:
        return default
    if limit == 0:
        raise Invalid(f'Limit, "{limit}" specified, must be a positive number or -1 for full result set.')
    if limit < -1:
        raise Invalid(f'Limit, "{limit}" specified, must be a positive number.')
    most = call.platform.config.api.max_page_size
    if limit == -1:
        if not call.requester.is_admin:
            raise Forbidden("Administrator access required to be able to specify limit=-1 and retrieve all the records")
        return None
    if limit >= MAX_INT:
        raise Invalid(f'Limit "{limit}" specified is more than 32-bit int')
    if limit > most and not call.requester.is_admin:
        raise Forbidden(f'Limit "{limit}" specified, maximum value is "{most}"')
    return int(limit)


def page_offset(call: Call) -> int:
    """Items to skip.

    Raises:
        Invalid: negative, or 2**31 and more.
    """
    offset = int(call.query.get("offset") or 0)
    if offset >= MAX_INT:
        raise Invalid(f'Offset "{offset}" specified is more than 32-bit int')
    if offset < 0:
        raise Invalid(f'Offset "{offset}" specified, must not be negative.')
    return offset
