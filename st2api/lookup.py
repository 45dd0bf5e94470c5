"""What handlers of content share: finding an object by reference or id, protecting the system pack, telling others of changes."""

from __future__ import annotations

from typing import Any

from st2api.endpoint import Call
from st2common.bus import CONTROL
from st2common.exceptions import Invalid, NotFound
from st2common.platform import Platform
from st2common.refs import is_object_id

SYSTEM_PACK = "core"
_PROTECTED = "Resources belonging to system level packs can't be manipulated"


def found(call: Call, kind: str, ref_or_id: str | None = None, *, text: str = 'Resource with a reference or id "{}" not found') -> Any:
    """The content document that a path names.

    Args:
        ref_or_id: default: the path parameter of that name.
        text: of the 404.

    Raises:
        NotFound: unknown or malformed.
    """
    wanted = call.path["ref_or_id"] if ref_or_id is None else ref_or_id
    document = call.platform.store.catalog.by_ref_or_id(kind, wanted)
    if document is None:
        raise NotFound(text.format(wanted))
    return document


def found_by_id(call: Call, kind: str, id: str, *, text: str) -> Any:
    """The same for resources that are known by id only."""
    document = call.platform.store.catalog.by_id(kind, id)
    if document is None:
        raise NotFound(text.format(id))
    return document


def must_be_id(call: Call, model: str) -> None:
    """Rules and aliases are replaced by id only (api.md 7.4).

    Raises:
        Invalid: the path names a reference.
    """
    wanted = call.path["ref_or_id"]
    if not is_object_id(wanted):
        raise Invalid(f"ValidationError ({model}:{wanted}) (Invalid ObjectID: ['id'])")


def protect(pack: str | None, packs: tuple[str, ...] = (SYSTEM_PACK,)) -> None:
    """Raises ``Invalid`` for objects of a system pack (api.md 2.6)."""
    if pack in packs:
        raise Invalid(_PROTECTED)


def tell(platform: Platform, *kinds: str) -> None:
    """Say that content of these kinds changed: sensor container, timers engine and the rest look again."""
    platform.bus.announce(CONTROL, {"do": "content", "kinds": list(kinds)})
