"""packs.setup_virtualenv and packs.update_virtualenv."""

from __future__ import annotations

from installation import installer

from st2common.runners.base_action import Action


class SetupVirtualEnvironmentAction(Action):
    def run(self, packs: list[str], update: bool = False, no_download: bool = True) -> str:
        """Returns a sentence that names the packs. Variables of the parameter ``env`` are in the environment of this process already."""
        done = installer(self).setup_virtualenvs(packs or [], update=update, upgrade_tools=not no_download)
        return f"Successfully set up virtualenv for the following packs: {', '.join(done)}"
