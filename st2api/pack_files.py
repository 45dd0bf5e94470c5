"""Files of packs on disk, never one outside the pack."""

from __future__ import annotations

from pathlib import Path

from st2common.config import Config
from st2common.exceptions import Invalid


def pack_directory(config: Config, pack: str) -> Path | None:
    """Where a pack lies on disk: the first base directory that holds it wins."""
    if not pack or "/" in pack or "\0" in pack or pack in (".", ".."):
        return None
    for base in config.packs_paths:
        if (base / pack).is_dir():
            return base / pack
    return None


def inside(directory: Path, relative: str) -> Path:
    """The path of a file below ``directory``, symbolic links followed.

    Raises:
        Invalid: absolute, or it leads out of the directory.
    """
    wrong = Invalid(
        f'Invalid file path: "{relative}". File path needs to be relative to the pack directory ({directory}). For example "my_action.py".',
        "file_path",
    )
    if not relative or relative.startswith("/") or "\0" in relative:
        raise wrong
    root = directory.resolve()
    try:
        target = (root / relative).resolve()
    except (OSError, RuntimeError) as error:
        raise wrong from error
    if target == root or not target.is_relative_to(root):
        raise wrong
    return target
