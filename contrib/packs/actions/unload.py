"""packs.unload."""

from __future__ import annotations

from st2common.config import load_config
from st2common.packs.unload import unload
from st2common.runners.base_action import Action
from st2common.store import connect


class UnloadAction(Action):
    def run(self, packs: list[str]) -> None:
        """Takes everything that belongs to the packs out of the database."""
        store = connect(load_config())
        try:
            deleted = unload(store, packs)
        finally:
            store.close()
        self.logger.info("Deleted %s", ", ".join(f"{count} {kind}" for kind, count in deleted.items() if count) or "nothing")
