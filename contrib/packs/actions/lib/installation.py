"""The installation that the actions of this pack work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from st2common.config import load_config
from st2common.packs.installer import Installer

CONFIGURED = "/opt/stackstorm/packs/"
"""Default of the immutable parameters ``abs_repo_base``: stands for the packs directory of the configuration."""


def installer(action: Any) -> Installer:
    """Steps of installation with the platform's configuration and the proxies of this pack's."""
    return Installer(load_config(), action.config)


def packs_directory(installation: Installer, abs_repo_base: str) -> Path:
    """The directory that ``abs_repo_base`` means."""
    return installation.packs_path if abs_repo_base == CONFIGURED else Path(abs_repo_base)


def downloaded(packs_status: dict[str, Any] | None) -> list[str]:
    """Names of the packs whose download succeeded."""
    return [name for name, text in (packs_status or {}).items() if "success" in str(text).lower()]
