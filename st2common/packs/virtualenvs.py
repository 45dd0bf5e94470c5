"""A virtualenv for each pack (content.md 6.3)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from st2common.config import Config
from st2common.exceptions import Invalid
from st2common.interpreters import SYSTEM_PACKS, platform_path
from st2common.log import getLogger
from st2common.packs.reader import MANIFEST

LOG = getLogger("st2common.packs.virtualenvs")
BASE_REQUIREMENT = "six>=1.9.0,<2.0"
_PLATFORM_PTH = "st2_platform.pth"


@dataclass(frozen=True)
class VirtualenvSettings:
    """What making a virtualenv needs to know.

    Attributes:
        path: directory of all virtualenvs.
        python_binary: interpreter to make them with; "" is this process's.
        options: options of virtualenv creation (``--always-copy`` is ``--copies`` here).
        pip_options: added to every ``pip install``.
        environment: added to that of pip (proxies, certificates, what an install asks for).
    """

    path: Path
    python_binary: str = ""
    options: Sequence[str] = ("--system-site-packages",)
    pip_options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def has_own_virtualenv(pack: str) -> bool:
    """System packs run on the platform's own interpreter."""
    return pack not in SYSTEM_PACKS


def settings_of(config: Config, environment: Mapping[str, str] | None = None) -> VirtualenvSettings:
    """The settings of a platform; ``environment`` is added to that of pip."""
    options = config.actionrunner
    return VirtualenvSettings(config.virtualenvs_path, options.python_binary, options.virtualenv_opts, options.pip_opts, environment or {})


def setup(config: Config, pack: str, *, update: bool = False) -> Path | None:
    """Make the virtualenv of an installed pack as the platform is configured, or with ``update`` bring it up to date.

    Returns:
        Its directory; None for a system pack, which has none.

    Raises:
        Invalid: see ``setup_virtualenv``.
    """
    if not has_own_virtualenv(pack):
        return None
    return setup_virtualenv(pack, installed_directory(config, pack), settings_of(config), update=update)


def installed_directory(config: Config, pack: str) -> Path:
    """The directory of an installed pack.

    Raises:
        Invalid: there is none.
    """
    for base in config.packs_paths:
        if (base / pack / MANIFEST).is_file():
            return base / pack
    raise Invalid(f'Pack "{pack}" is not installed. Looked in: {", ".join(map(str, config.packs_paths))}')


def setup_virtualenv(pack: str, pack_path: Path, settings: VirtualenvSettings, *, update: bool = False, upgrade_tools: bool = False) -> Path:
    """Make the virtualenv of a pack and install its requirements.

    Args:
        pack: its ref.
        pack_path: its directory.
        settings: see there.
        update: keep a virtualenv that is there and only install the requirements again.
        upgrade_tools: fetch newer versions of pip and setuptools first.

    Returns:
        The directory of the virtualenv.

    Raises:
        Invalid: no such pack, or a step failed; the text holds the output of the step.
    """
    if not pack_path.is_dir():
        raise Invalid(f'Pack "{pack}" is not installed. Looked in: {pack_path.parent}')
    target = settings.path / pack
    if not (update and (target / "bin" / "python").exists()):
        _create(target, settings)
    _show_platform(target)
    pip = [str(target / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", *settings.pip_options]
    if upgrade_tools:
        _run([*pip, "-U", "pip", "setuptools"], settings, "Failed to upgrade pip and setuptools")
    _run([*pip, BASE_REQUIREMENT], settings, f'Failed to install requirement "{BASE_REQUIREMENT}"')
    requirements = pack_path / "requirements.txt"
    if requirements.is_file():
        _run([*pip, "-U", "-r", str(requirements)], settings, f'Failed to install requirements from "{requirements}"')
    LOG.info('Virtualenv of pack "%s" is ready in %s', pack, target)
    return target


def remove_virtualenv(pack: str, settings: VirtualenvSettings) -> bool:
    """Delete the virtualenv of a pack. False when it has none."""
    target = settings.path / pack
    if not target.is_dir():
        return False
    shutil.rmtree(target)
    return True


def _create(target: Path, settings: VirtualenvSettings) -> None:
    """Make an empty virtualenv, in place of one that is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    options = ["--copies" if option == "--always-copy" else option for option in settings.options]
    python = settings.python_binary or sys.executable
    _run([python, "-m", "venv", *options, str(target)], settings, f'Failed to create virtualenv for "{target.name}"')


def _show_platform(target: Path) -> None:
    """Make the platform's own packages importable from the virtualenv, after what the pack installs itself."""
    site_packages = sorted(target.glob("lib/python*/site-packages"))
    if not site_packages:
        raise Invalid(f"The virtualenv {target} has no site-packages directory")
    (site_packages[0] / _PLATFORM_PTH).write_text("".join(f"{path}\n" for path in platform_path()), encoding="utf-8")


def _run(command: list[str], settings: VirtualenvSettings, complaint: str) -> None:
    environment = {**os.environ, **settings.environment}
    environment.pop("PYTHONPATH", None)
    LOG.debug("Running %s", " ".join(command))
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Invalid(f"{complaint}: {error.strerror}: {command[0]}") from error
    if done.returncode != 0:
        raise Invalid(f"{complaint}: {done.stdout.strip()} (stderr: {done.stderr.strip()})")
