"""Fetch, prepare and remove packs of one installation: the settings of the platform applied to the single steps.

Used by the actions of the pack ``packs``, the API and the command line tools.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from st2common.config import Config
from st2common.interpreters import SYSTEM_PACKS
from st2common.packs.download import Downloaded, DownloadSettings, download
from st2common.packs.index import PackIndex, fetch_index
from st2common.packs.virtualenvs import has_own_virtualenv, installed_directory, remove_virtualenv, settings_of, setup_virtualenv

_PROXIES = ("https_proxy", "http_proxy", "no_proxy")
_CA_BUNDLE = "proxy_ca_bundle_path"


class Installer:
    """Steps of installing and removing packs.

    Args:
        config: of the platform.
        pack_config: configuration of the pack ``packs`` (proxies).
    """

    def __init__(self, config: Config, pack_config: Mapping[str, Any] | None = None) -> None:
        self._config = config
        self._pack_config = dict(pack_config or {})

    @property
    def packs_path(self) -> Path:
        """Directory that packs are installed into: the first base path."""
        return self._config.packs_paths[0]

    @property
    def pack_group(self) -> str:
        """Group that owns installed packs."""
        return self._config.content.pack_group

    @cached_property
    def environment(self) -> dict[str, str]:
        """Proxies and certificates for git and pip; a variable of this process's environment wins over the configuration."""
        found: dict[str, str] = {}
        for name in _PROXIES:
            value = os.environ.get(name) or os.environ.get(name.upper()) or self._pack_config.get(name)
            if value:
                found[name] = str(value)
        if not {"https_proxy", "http_proxy"} & set(found):
            found.pop("no_proxy", None)
        bundle = os.environ.get(_CA_BUNDLE) or self._pack_config.get(_CA_BUNDLE)
        if bundle:
            found |= {"GIT_SSL_CAINFO": str(bundle), "PIP_CERT": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}
        return found

    @cached_property
    def index(self) -> PackIndex:
        """All indexes together, fetched once.

        Raises:
            Invalid: none of them answered.
        """
        proxies = {name.removesuffix("_proxy"): self.environment[name] for name in ("https_proxy", "http_proxy") if name in self.environment}
        return fetch_index(self._config.content.index_url, proxies=proxies, ca_bundle=self.environment.get("REQUESTS_CA_BUNDLE"))

    def download(self, arguments: Iterable[str], *, verify_ssl: bool = True, force: bool = False, packs_path: Path | None = None) -> list[Downloaded]:
        """Download packs, one after the other.

        Args:
            arguments: see ``source``.
            verify_ssl: check certificates.
            force: skip requirement checks.
            packs_path: put them there instead of into ``self.packs_path``.

        Raises:
            Invalid: a download failed for another reason than an unknown name.
        """
        settings = DownloadSettings(packs_path or self.packs_path, self.pack_group, self.environment, verify_ssl, force)
        return [download(argument, settings, lambda name: self.index.entry(name)) for argument in arguments]

    def setup_virtualenvs(self, packs: Iterable[str], *, update: bool = False, upgrade_tools: bool = False) -> list[str]:
        """Make the virtualenvs of packs that have one of their own. Returns their names.

        Raises:
            Invalid: see ``setup_virtualenv``.
        """
        done = []
        for pack in packs:
            if has_own_virtualenv(pack):
                setup_virtualenv(pack, self.find(pack), settings_of(self._config, self.environment), update=update, upgrade_tools=upgrade_tools)
            done.append(pack)
        return done

    def find(self, pack: str) -> Path:
        """The directory of an installed pack.

        Raises:
            Invalid: there is none.
        """
        return installed_directory(self._config, pack)

    def delete(self, packs: Iterable[str], *, delete_env: bool = True) -> None:
        """Remove the directories of packs, and their virtualenvs.

        Raises:
            ValueError: a system pack is among them; nothing is removed then.
        """
        packs = list(packs)
        for pack in packs:
            if pack in SYSTEM_PACKS:
                raise ValueError(f"Uninstall includes an uninstallable pack - {pack}.")
            if Path(pack).name != pack or pack in ("", ".", ".."):
                raise ValueError(f'"{pack}" is not a name of a pack')
        for pack in packs:
            directory = self.packs_path / pack
            if directory.is_symlink():
                directory.unlink()
            elif directory.is_dir():
                shutil.rmtree(directory)
            if delete_env:
                remove_virtualenv(pack, settings_of(self._config, self.environment))
