"""Fetch packs into the packs directory: resolve, clone or copy, check, put in place as a whole (content.md 6.2)."""

from __future__ import annotations

import fcntl
import grp
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from st2common.exceptions import Invalid
from st2common.log import getLogger
from st2common.packs import git
from st2common.packs.metadata import manifest
from st2common.packs.reader import MANIFEST
from st2common.packs.source import Source, resolve_source
from st2common.packs.versions import check_requirements
from st2common.packs.yaml_file import YamlProblem, read

LOG = getLogger("st2common.packs.download")
MODE = 0o775
SUCCESS = "Success."


@dataclass(frozen=True)
class DownloadSettings:
    """What a download needs to know.

    Attributes:
        packs_path: directory that packs are put into.
        group: group that owns them; one that does not exist on this machine is left alone.
        environment: added to that of git (proxies, certificates).
        verify_ssl: check certificates of https repositories.
        force: skip the requirement checks, and do not mind another download of the same URL.
    """

    packs_path: Path
    group: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    verify_ssl: bool = True
    force: bool = False


@dataclass(frozen=True)
class Downloaded:
    """The outcome for one argument.

    Attributes:
        name: ref of the pack; the argument when it could not be found.
        success: whether it is in place.
        message: ``Success.`` or ``Failure : <why>``.
        url: where it came from, None when that could not be found.
    """

    name: str
    success: bool
    message: str
    url: str | None = None


def download(argument: str, settings: DownloadSettings, lookup: Callable[[str], Mapping[str, Any] | None]) -> Downloaded:
    """Download one pack and put it into the packs directory, in place of one that is there.

    Args:
        argument: see ``source``.
        settings: see there.
        lookup: index entry by name. An unknown name makes a failure, not an error.

    Raises:
        Invalid: anything else that goes wrong (no such version, no such directory, a bad manifest, an unmet requirement).
    """
    try:
        source = resolve_source(argument, lookup)
    except Invalid as error:
        return Downloaded(argument, False, f"Failure : {error.message}")
    with _lock(source.url, settings.force), tempfile.TemporaryDirectory(prefix="st2-pack-", dir=_scratch(settings.packs_path)) as scratch:
        checkout = Path(scratch) / "pack"
        _fetch(source, checkout, settings)
        values = read_fresh_manifest(checkout)
        if not settings.force:
            check_requirements(values)
        _apply_permissions(checkout, settings.group)
        _put_in_place(checkout, settings.packs_path / values["ref"])
    LOG.info('Downloaded pack "%s" from %s', values["ref"], source.url)
    return Downloaded(values["ref"], True, SUCCESS, source.url)


def read_fresh_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a download; its ref comes from the manifest alone.

    Raises:
        Invalid: it is missing or wrong.
    """
    file = directory / MANIFEST
    if not file.is_file():
        raise Invalid("Pack is missing pack.yaml file")
    try:
        return manifest(read(file).content)
    except YamlProblem as problem:
        raise Invalid(f"pack.yaml, line {problem.line}: {problem.reason}") from problem


def _scratch(packs_path: Path) -> Path:
    """A directory on the same file system as the packs, so that putting a pack in place is one rename."""
    packs_path.mkdir(parents=True, exist_ok=True)
    return packs_path


def _fetch(source: Source, checkout: Path, settings: DownloadSettings) -> None:
    if source.directory is not None:
        if not Path(source.directory).is_dir():
            raise Invalid(f'Local pack directory "{source.directory}" doesn\'t exist')
        shutil.copytree(source.directory, checkout, symlinks=True)
        return
    environment = dict(settings.environment)
    if not settings.verify_ssl:
        environment["GIT_SSL_NO_VERIFY"] = "true"
    git.clone(source.url, checkout, source.version, environment=environment)


@contextmanager
def _lock(url: str, force: bool) -> Iterator[None]:
    """One download per URL at a time, on this machine. The lock ends with its process, so it can never be stale; force does without."""
    name = hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
    with open(Path(tempfile.gettempdir()) / f"st2-pack-{os.getuid()}-{name}.lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if not force:
                raise Invalid(f"Another download of {url} is under way. Wait for its end, or use force.") from None
        yield


def _apply_permissions(directory: Path, group: str) -> None:
    """Mode 0775 and the packs' group for everything. Symbolic links are left as they are."""
    group_id = _group_id(group)
    for entry in [directory, *directory.rglob("*")]:
        if entry.is_symlink():
            continue
        entry.chmod(MODE)
        if group_id is not None:
            os.chown(entry, -1, group_id)


def _group_id(group: str) -> int | None:
    if not group:
        return None
    try:
        found = grp.getgrnam(group).gr_gid
    except KeyError:
        LOG.debug('Group "%s" does not exist: the pack keeps the group of this process', group)
        return None
    if os.geteuid() != 0 and found not in os.getgroups():
        LOG.warning('This process is not in group "%s": the pack keeps the group of this process', group)
        return None
    return found


def _put_in_place(checkout: Path, target: Path) -> None:
    """Replace the pack's directory as a whole; the old one stays until the new one is complete."""
    old = checkout.parent / "replaced"
    if target.exists():
        target.rename(old)
    try:
        checkout.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
