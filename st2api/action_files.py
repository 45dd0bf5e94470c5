"""Files of actions: those that come with a request, the entry point, copies for a clone."""

from __future__ import annotations

import mimetypes
import shutil
import socket
from pathlib import Path
from typing import Any

import yaml

from st2api.pack_files import inside, pack_directory
from st2common.config import Config
from st2common.content_cache import WORKFLOW_RUNNERS
from st2common.exceptions import Invalid, St2Error
from st2common.internal_triggers import InternalTriggers
from st2common.log import getLogger
from st2common.packs import yaml_file
from st2common.platform import Platform
from st2common.triggers import FILE_WRITTEN

LOG = getLogger("st2api.action_files")
_MEDIA = {".py": "text/x-python", ".yaml": "application/x-yaml", ".yml": "application/x-yaml", ".sh": "text/x-sh"}


def actions_directory(config: Config, pack: str) -> Path:
    """``<pack>/actions`` on disk.

    Raises:
        Invalid: there is none.
    """
    directory = pack_directory(config, pack)
    if directory is None or not (directory / "actions").is_dir():
        searched = ":".join(str(path) for path in config.packs_paths)
        raise Invalid(f'Content pack "{pack}" is not found or doesn\'t contain actions directory. Searched in: {searched}', "pack")
    return directory / "actions"


def write(platform: Platform, action: Any, files: list[dict[str, str]]) -> None:
    """Write the data files of a request below the pack's ``actions`` directory, and tell of each.

    Raises:
        Invalid: a path that leads out of the directory, or a file that cannot be written.
    """
    if not files:
        return
    directory = actions_directory(platform.config, action.pack)
    targets = [(inside(directory, file["file_path"]), file["content"]) for file in files]
    for target, content in targets:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        except (OSError, UnicodeEncodeError) as error:
            raise Invalid(f'Unable to write file "{target}": {error}') from error
    _add_to_pack(platform, action.pack, [f"actions/{target.relative_to(directory.resolve())}" for target, _ in targets])
    triggers = InternalTriggers(platform.dispatcher)
    for target, _ in targets:
        triggers.emit(FILE_WRITTEN.ref, {"ref": action.ref, "file_path": str(target), "host_info": {"hostname": socket.gethostname()}})


def _add_to_pack(platform: Platform, pack: str, names: list[str]) -> None:
    """The pack's list of files knows the new ones."""
    catalog = platform.store.catalog
    document = catalog.by_ref("pack", pack)
    if document is None or set(names) <= set(document.files or ()):
        return
    values = {name: getattr(document, name) for name in document._fields if name != "id"}
    catalog.replace("pack", document.id, {**values, "files": sorted({*(document.files or ()), *names})})


def entry_point(config: Config, action: Any) -> Path | None:
    """The file of an action's entry point, None when it has none (on this machine)."""
    directory = pack_directory(config, action.pack)
    if not action.entry_point or directory is None:
        return None
    try:
        file = inside(directory / "actions", action.entry_point)
    except Invalid:
        return None
    return file if file.is_file() else None


def media_type(file: Path) -> str:
    """Content type of a source file by its extension; ``text/plain`` when unknown."""
    return _MEDIA.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "text/plain"


def remove(platform: Platform, action: Any) -> None:
    """Delete the entry point and the metadata file of a deleted action, where they are there."""
    directory = pack_directory(platform.config, action.pack)
    if directory is None:
        return
    for relative in (f"actions/{action.entry_point}" if action.entry_point else "", action.metadata_file or ""):
        if not relative:
            continue
        try:
            inside(directory, relative).unlink(missing_ok=True)
        except (Invalid, OSError) as error:
            LOG.warning("File %s of deleted action %s was left: %s", relative, action.ref, error)


def clone(platform: Platform, source: Any, pack: str, name: str) -> dict[str, Any]:
    """Copy metadata file and entry point to their new names. Returns the values of the new action.

    Raises:
        Invalid: no such destination, or the source has no metadata file on disk.
    """
    config = platform.config
    directory = pack_directory(config, pack)
    if directory is None:
        raise Invalid(f"Destination pack '{pack}' doesn't exist")
    origin = pack_directory(config, source.pack)
    target = inside(directory, f"actions/{name}.yaml")
    original = inside(origin, source.metadata_file) if origin is not None and source.metadata_file else None
    if original is None or not original.is_file():
        raise Invalid(f'Unable to copy file to "{target}": the metadata file of {source.ref} is not on disk.')
    entry = _clone_entry_point(config, source, directory, name)
    try:
        content = yaml_file.read(original).content
        content = {**content, "name": name, "pack": pack, "entry_point": entry} if isinstance(content, dict) else {}
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    except (OSError, St2Error, yaml.YAMLError) as error:
        raise Invalid(f'Unable to copy file to "{target}": {error}') from error
    values = {key: getattr(source, key) for key in source._fields if key != "id"}
    return {**values, "name": name, "pack": pack, "entry_point": entry, "metadata_file": f"actions/{name}.yaml"}


def _clone_entry_point(config: Config, source: Any, directory: Path, name: str) -> str:
    """Copy the entry point; returns its new name relative to ``actions``."""
    file = entry_point(config, source)
    if file is None:
        return source.entry_point or ""
    folder = "workflows/" if source.runner_type in WORKFLOW_RUNNERS else ""
    relative = f"{folder}{name}{file.suffix}"
    target = inside(directory, f"actions/{relative}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    except OSError as error:
        raise Invalid(f'Unable to copy file to "{target}": {error}') from error
    return relative
