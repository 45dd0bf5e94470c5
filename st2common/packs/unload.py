"""Take the content of packs out of the store again."""

from __future__ import annotations

from collections.abc import Sequence

from st2common.interpreters import SYSTEM_PACKS
from st2common.log import getLogger
from st2common.packs.rules import delete_rule
from st2common.store import Store

LOG = getLogger("st2common.packs.unload")
_KINDS = ("sensor", "trigger_type", "trigger", "action", "rule", "alias", "policy")


def unload(store: Store, packs: Sequence[str]) -> dict[str, int]:
    """Delete everything that belongs to the packs, then the packs themselves with their configuration.

    Sensors and trigger types go first, so that nothing new comes in while the rest is removed.

    Returns:
        Kind -> number of deleted documents.

    Raises:
        ValueError: one of them is a system pack; nothing is deleted then.
    """
    for pack in packs:
        if pack in SYSTEM_PACKS:
            raise ValueError(f"Unregister includes an unregisterable pack - {pack}.")
    deleted: dict[str, int] = {}
    for pack in packs:
        for kind in _KINDS:
            deleted[kind] = deleted.get(kind, 0) + _delete_kind(store, kind, pack)
        for kind in ("pack", "config_schema", "config"):
            present = store.catalog.by_ref(kind, pack)
            if present is not None and store.catalog.delete(kind, present.id):
                deleted[kind] = deleted.get(kind, 0) + 1
        LOG.info('Unloaded pack "%s"', pack)
    return deleted


def _delete_kind(store: Store, kind: str, pack: str) -> int:
    count = 0
    for document in store.catalog.find_all(kind, {"pack": pack}):
        gone = delete_rule(store, document) if kind == "rule" else store.catalog.delete(kind, document.id)
        count += bool(gone)
    return count
