"""packs.get_config."""

from __future__ import annotations

from installation import installer

from st2common.runners.base_action import Action


class GetConfigAction(Action):
    def run(self) -> dict[str, str]:
        """Returns ``{pack_group, pack_path}``."""
        installation = installer(self)
        return {"pack_group": installation.pack_group, "pack_path": str(installation.packs_path)}
