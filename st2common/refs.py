"""References ``pack.name``, uids and object ids: how things are named (api.md section 2.6)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from bson import ObjectId

_ID = re.compile(r"^[0-9a-f]{24}$")


def split_ref(ref: str) -> tuple[str, str]:
    """Split at the first dot: ``core.st2.webhook`` -> ``("core", "st2.webhook")``. Raises ValueError without a dot."""
    pack, dot, name = ref.partition(".")
    if not (pack and dot and name):
        raise ValueError(f'"{ref}" is not a reference of the form pack.name')
    return pack, name


def is_object_id(text: Any) -> bool:
    """Whether ``text`` is 24 lower-case hexadecimal digits."""
    return isinstance(text, str) and _ID.match(text) is not None


def trigger_uid(pack: str, name: str, parameters: dict[str, Any]) -> str:
    """``trigger:<pack>:<name>:<md5 of the parameters' JSON, keys sorted>``."""
    return f"trigger:{pack}:{name}:{parameters_digest(parameters)}"


def parameters_digest(parameters: dict[str, Any]) -> str:
    """md5 (32 hex) of the JSON of ``parameters`` with sorted keys; equal parameters give equal digests."""
    return hashlib.md5(orjson.dumps(parameters or {}, option=orjson.OPT_SORT_KEYS), usedforsecurity=False).hexdigest()


def derived_id(moment_from: ObjectId, *parts: str) -> ObjectId:
    """An id that is the same whenever it is made from the same parts.

    Two handlers of one message make the same document id, so the second insert is refused by the database: this is how an
    event fires a rule at most once. The first four bytes keep the time of ``moment_from``, so that ids still sort by time.
    """
    digest = hashlib.sha256("\0".join((str(moment_from), *parts)).encode()).digest()
    return ObjectId(moment_from.binary[:4] + digest[:8])
