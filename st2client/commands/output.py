"""Printing resources in the format asked for (cli.md 3.1)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from st2client.formatters import doc, table

ALL = ("all",)


def structured(args: Any) -> bool:
    """Whether JSON or YAML was asked for."""
    return bool(args.json or args.yaml)


def print_doc(args: Any, value: Any) -> None:
    """Print JSON or YAML; JSON wins."""
    print(doc.to_json(value) if args.json else doc.to_yaml(value))


def selected(entry: dict[str, Any], attributes: Sequence[str]) -> dict[str, Any]:
    """Attributes of an object as JSON and YAML have them: nulls left out, dotted names nested."""
    from st2client.utils import jsutil

    return jsutil.get_kvps(entry, sorted(entry) if "all" in attributes else attributes)


def as_dict(resource: Any) -> dict[str, Any]:
    """Attributes of a resource (or a dict as it is)."""
    return resource if isinstance(resource, dict) else resource.to_dict()


def as_row(resource: Any, attributes: Sequence[str]) -> dict[str, Any]:
    """As `as_dict`, for tables: these also show properties of the class that are asked for, such as `id` of a key."""
    computed = [name for name in attributes if isinstance(getattr(type(resource), name, None), property)]
    return as_dict(resource) | {name: getattr(resource, name) for name in computed}


def print_many(
    args: Any,
    resources: Sequence[Any],
    attributes: Sequence[str],
    *,
    transforms: Mapping[str, table.Transform] | None = None,
    shows_empty: bool = False,
    shows_empty_json: bool = False,
) -> None:
    """Print a list.

    Args:
        args: `json`, `yaml`, `width`.
        transforms: how values of some attributes are shown in tables.
        shows_empty: an empty list is shown as a table without rows.
        shows_empty_json: an empty list is `[]` in JSON and YAML. The recorded lists differ in both (cli.md 3.1).
    """
    entries = [as_dict(item) if structured(args) else as_row(item, attributes) for item in resources]
    if not entries and not (shows_empty_json if structured(args) else shows_empty and "all" not in attributes):
        print(table.NO_ITEMS)
    elif structured(args):
        print_doc(args, [selected(entry, attributes) for entry in entries])
    else:
        print(table.many(entries, attributes, widths=getattr(args, "width", None) or None, transforms=transforms))


def print_one(args: Any, resource: Any, attributes: Sequence[str] = ALL, display_order: Sequence[str] = ()) -> None:
    """Print one object: JSON, YAML or its properties."""
    if structured(args):
        print_doc(args, selected(as_dict(resource), attributes))
    else:
        print(table.properties(as_row(resource, attributes), attributes, display_order))


def print_more_results_note(args: Any, limit: int, total: int | None, singular: str, plural: str) -> None:
    """Say on stderr that more matched than are shown."""
    if total is not None and 0 < limit < total and not structured(args):
        print(table.more_results_note(limit, singular, plural), file=sys.stderr)
