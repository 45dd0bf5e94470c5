"""packs.delete."""

from __future__ import annotations

from installation import installer

from st2common.runners.base_action import Action


class DeleteAction(Action):
    def run(self, packs: list[str], abs_repo_base: str, delete_env: bool = True) -> None:
        """Removes the directories of the packs and their virtualenvs."""
        installer(self).delete(packs, delete_env=delete_env)
        self.logger.info("Deleted %s", ", ".join(packs))
