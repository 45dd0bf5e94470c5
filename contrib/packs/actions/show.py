"""packs.show."""

from __future__ import annotations

from typing import Any

from installation import installer

from st2common.runners.base_action import Action


class ShowAction(Action):
    def run(self, pack: str) -> dict[str, Any]:
        """Returns ``{"pack": entry}``, null for a pack that no index knows."""
        return {"pack": installer(self).index.entry(pack)}
