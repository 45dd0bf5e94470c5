"""Runs from another revision of a pack: a git work tree for the time of one run (runners.md section 5.6)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

from st2common.exceptions import RunnerFailed
from st2common.log import getLogger

LOG = getLogger(__name__)

_GIT_TIMEOUT_S = 60


@contextlib.contextmanager
def pack_directory(pack: str, pack_path: str, content_version: str | None, *, keep: bool) -> Iterator[str]:
    """Directory of the pack as of ``content_version``, or ``pack_path`` itself where that is not set.

    Args:
        keep: leave the work tree in place after the run (parameter ``debug``).

    Raises:
        RunnerFailed: the pack is not a git repository or has no such revision.
    """
    if not content_version:
        yield pack_path
        return
    directory = tempfile.mkdtemp(prefix="st2-git-worktree-")
    try:
        _add(pack, pack_path, directory, content_version)
        os.chmod(directory, 0o777)  # the system user runs from there
        yield directory
    finally:
        if not keep:
            _remove(pack_path, directory)


def _git(pack_path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", pack_path, *arguments], capture_output=True, text=True, errors="replace", check=False, timeout=_GIT_TIMEOUT_S)


def _add(pack: str, pack_path: str, directory: str, revision: str) -> None:
    prefix = f'Failed to create git worktree for pack "{pack}": '
    if revision.startswith("-"):
        raise RunnerFailed(f'{prefix}Invalid content_version "{revision}" provided.')
    done = _git(pack_path, "worktree", "add", "--detach", directory, revision)
    if done.returncode == 0:
        return
    reason = done.stderr.strip()
    if "not a git repository" in reason:
        raise RunnerFailed(f'{prefix}Pack directory "{pack_path}" is not a git repository. To use "content_version", it must be one.')
    if "invalid reference" in reason:
        raise RunnerFailed(
            f'{prefix}Invalid content_version "{revision}" provided. Make sure that git repository is up to date and contains that revision.'
        )
    raise RunnerFailed(f"{prefix}{reason}")


def _remove(pack_path: str, directory: str) -> None:
    done = _git(pack_path, "worktree", "remove", "--force", directory)
    if done.returncode != 0 and os.path.isdir(directory):
        LOG.warning("Could not remove the git work tree %s: %s", directory, done.stderr.strip())
        subprocess.run(["rm", "-rf", "--", directory], check=False, timeout=_GIT_TIMEOUT_S)
