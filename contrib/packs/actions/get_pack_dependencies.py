"""packs.get_pack_dependencies."""

from __future__ import annotations

from typing import Any

from installation import downloaded, installer

from st2common.packs.dependencies import examine
from st2common.runners.base_action import Action


class GetPackDependenciesAction(Action):
    def run(self, packs_status: dict[str, str] | None, nested: int) -> dict[str, Any]:
        """Returns ``{dependency_list, conflict_list, nested}`` with one level less; nothing when there is nothing to look at."""
        if not packs_status or nested == 0:
            return {}
        found = examine(downloaded(packs_status), installer(self).packs_path)
        return {"dependency_list": found.missing, "conflict_list": found.conflicts, "nested": nested - 1}
