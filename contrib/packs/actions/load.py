"""packs.load."""

from __future__ import annotations

from typing import Any

from st2common.runners.base_action import Action


class LoadAction(Action):
    def run(self, register: str = "all", packs: list[str] | None = None) -> dict[str, Any]:
        """Returns the number of registered resources of each type."""
        types = [name.strip() for name in register.split(",") if name.strip()]
        client = self.action_service.datastore_service.get_api_client()
        arguments: dict[str, Any] = {"types": types}
        if packs:
            arguments["packs"] = packs
        return client.packs.register(**arguments).to_dict()
