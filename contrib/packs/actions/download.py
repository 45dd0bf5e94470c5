"""packs.download."""

from __future__ import annotations

from installation import installer, packs_directory

from st2common.runners.base_action import Action


class DownloadAction(Action):
    def run(
        self,
        packs: list[str],
        abs_repo_base: str,
        verifyssl: bool = True,
        force: bool = False,
        dependency_list: list[str] | None = None,
    ) -> dict[str, str]:
        """Returns pack name -> ``Success.`` or ``Failure : <why>``; raises when not one pack could be downloaded."""
        installation = installer(self)
        target = packs_directory(installation, abs_repo_base)
        outcomes = installation.download(dependency_list or packs, verify_ssl=verifyssl, force=force, packs_path=target)
        for outcome in outcomes:
            self.logger.info("%s: %s", outcome.name, outcome.message)
        if outcomes and not any(outcome.success for outcome in outcomes):
            names = ", ".join(outcome.url or outcome.name for outcome in outcomes)
            reasons = "\n".join(outcome.message for outcome in outcomes)
            raise ValueError(f'The pack has not been downloaded from "{names}".\nErrors:\n{reasons}')
        return {outcome.name: outcome.message for outcome in outcomes}
