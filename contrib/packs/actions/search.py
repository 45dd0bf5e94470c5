"""packs.search."""

from __future__ import annotations

from typing import Any

from installation import installer

from st2common.runners.base_action import Action


class SearchAction(Action):
    def run(self, query: str) -> list[dict[str, Any]]:
        """Returns the index entries that hold the text, the best ones first."""
        return installer(self).index.search(query)
