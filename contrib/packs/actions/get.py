"""packs.get."""

from __future__ import annotations

from typing import Any

from installation import installer

from st2common.exceptions import Invalid
from st2common.packs import git
from st2common.packs.dependencies import read_manifest_file
from st2common.runners.base_action import Action


class GetAction(Action):
    def run(self, pack: str, branch: str = "master") -> dict[str, Any]:
        """Returns the content of pack.yaml and what git says of the directory; nulls when the pack is not installed."""
        try:
            directory = installer(self).find(pack)
        except Invalid:
            return {"pack": None, "git_status": None}
        return {"pack": read_manifest_file(directory.parent, pack), "git_status": git.status(directory)}
