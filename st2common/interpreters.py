"""Which Python runs the code of a pack, and how that Python finds the platform (runners.md section 5.2, content.md section 6.3)."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from pathlib import Path

from st2common.exceptions import St2Error

SYSTEM_PACKS = ("chatops", "core", "packs", "linux")
"""Packs that run on the platform's own interpreter and need no virtualenv."""


class NoVirtualenv(St2Error):
    """A pack with requirements has no virtualenv.

    Args:
        pack: name of the pack.
        path: where the virtualenv should be.
    """

    def __init__(self, pack: str, path: str) -> None:
        super().__init__(
            f'The virtual environment "{path}" of the pack "{pack}" does not exist. If the pack was installed through "st2 pack install", '
            f'the virtual environment was made then; otherwise make it with "st2 run packs.setup_virtualenv packs={pack}".'
        )


def find_virtualenv(pack: str, pack_path: str, virtualenvs_path: str, system_packs: tuple[str, ...] = SYSTEM_PACKS) -> str | None:
    """Directory of the pack's virtualenv; None for packs that run on the platform's interpreter: system packs, and packs that have
    neither a virtualenv nor requirements.

    Raises:
        NoVirtualenv: the pack has requirements but no virtualenv.
    """
    if pack in system_packs:
        return None
    path = os.path.join(virtualenvs_path, pack)
    if os.path.isdir(path):
        return path
    if not has_requirements(pack_path):
        return None
    raise NoVirtualenv(pack, path)


def has_requirements(pack_path: str) -> bool:
    """Whether the pack's requirements.txt names anything."""
    try:
        text = Path(pack_path, "requirements.txt").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return any(line.strip() and not line.strip().startswith("#") for line in text.splitlines())


def interpreter(virtualenv: str | None) -> str:
    """Path of the Python of a virtualenv; without one the platform's own."""
    return os.path.join(virtualenv, "bin", "python") if virtualenv else sys.executable


def search_path(virtualenv: str | None) -> str:
    """``PATH`` for processes of the pack."""
    inherited = os.environ.get("PATH", os.defpath)
    return os.path.join(virtualenv, "bin", "") + os.pathsep + inherited if virtualenv else inherited


@functools.cache
def platform_path() -> tuple[str, ...]:
    """Directories that make the platform and what it stands on importable for another interpreter."""
    paths = sysconfig.get_paths()
    return tuple(dict.fromkeys([str(Path(__file__).parent.parent), paths["purelib"], paths["platlib"]]))


def inherited_python_path() -> list[str]:
    """Entries of this process's ``PYTHONPATH``."""
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
