"""packs.virtualenv_prerun."""

from __future__ import annotations

from installation import downloaded

from st2common.runners.base_action import Action


class PacksVirtualenvPrerunAction(Action):
    def run(self, packs_status: dict[str, str] | None = None, packs_list: list[str] | None = None) -> list[str]:
        """Returns the list with the names of downloaded packs added, each once."""
        return list(dict.fromkeys([*(packs_list or []), *downloaded(packs_status)]))
