"""packs.get_pack_warnings."""

from __future__ import annotations

from installation import downloaded, installer

from st2common.packs.dependencies import read_manifest_file
from st2common.runners.base_action import Action


class GetPackWarningsAction(Action):
    def run(self, packs_status: dict[str, str] | None = None) -> dict[str, list[str]]:
        """Returns ``{warning_list}`` with a sentence for each pack that supports Python 2 alone."""
        directory = installer(self).packs_path
        warnings = []
        for pack in downloaded(packs_status):
            versions = [str(item) for item in read_manifest_file(directory, pack).get("python_versions") or []]
            if versions == ["2"]:
                warnings.append(f'The pack "{pack}" supports Python 2 alone, which is not supported here any more. It may not work.')
        return {"warning_list": warnings}
