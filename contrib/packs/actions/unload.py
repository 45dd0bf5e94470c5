"""packs.unload."""

from __future__ import annotations

from st2common.bus import CONTROL
from st2common.config import load_config
from st2common.packs.unload import unload
from st2common.platform import Platform
from st2common.runners.base_action import Action


class UnloadAction(Action):
    def run(self, packs: list[str]) -> None:
        """Takes everything that belongs to the packs out of the database."""
        platform = Platform(load_config())
        try:
            deleted = unload(platform.store, packs)
            platform.bus.announce(CONTROL, {"do": "content", "kinds": ["trigger", "sensor", "rule"]})
        finally:
            platform.store.close()
            platform.bus.close()
        self.logger.info("Deleted %s", ", ".join(f"{count} {kind}" for kind, count in deleted.items() if count) or "nothing")
