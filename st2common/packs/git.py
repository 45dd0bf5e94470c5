"""Clone a pack's repository and check out the wanted version (content.md 6.2). Works through the ``git`` command."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from st2common.exceptions import Invalid
from st2common.packs.versions import is_semver

TIMEOUT_S = 600


def clone(url: str, directory: Path, version: str | None, *, environment: Mapping[str, str] | None = None) -> None:
    """Clone a repository and check out a version.

    Args:
        url: anything that git takes.
        directory: where to; must not exist.
        version: a branch, tag (with or without the leading ``v``), commit; None = the tip of the default branch.
        environment: added to that of this process (proxies).

    Raises:
        Invalid: the repository cannot be cloned, or has no such version.
    """
    if url.startswith("-"):
        raise Invalid(f'"{url}" is not a URL of a repository')
    # Installed packs get other file modes, which git shall not take for changes.
    _git(["clone", "--quiet", "-c", "core.fileMode=false", "--", url, str(directory)], None, environment, f"Unable to clone {url}")
    if version is None:
        return
    commit = _resolve(directory, version)
    if commit is None:
        raise Invalid(f'"{version}" is not a valid version, hash, tag or branch in {url}.{_available(directory)}')
    _git(["checkout", "--quiet", "--force", commit], directory, environment, f'Unable to check out "{version}" of {url}')


def _resolve(directory: Path, version: str) -> str | None:
    """The commit of a version, in the order: active branch, branch, any commit-ish, tag with ``v``."""
    active = _output(["rev-parse", "--abbrev-ref", "HEAD"], directory)
    if version == active:
        return _output(["rev-parse", "HEAD"], directory)
    names = [f"origin/{version}", version, *([f"v{version}"] if is_semver(version) else [])]
    for name in names:
        if name.startswith("-"):
            continue
        commit = _output(["rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], directory)
        if commit:
            return commit
    return None


def versions(directory: Path) -> list[str]:
    """Versions that tags of the form ``v<version>`` name, without the ``v``, oldest tag first."""
    tags = _output(["tag", "--sort=version:refname"], directory) or ""
    return [tag[1:] for tag in tags.split() if tag.startswith("v")]


def _available(directory: Path) -> str:
    found = versions(directory)
    return f" Available versions are: {', '.join(found)}." if found else ""


def status(directory: Path) -> str | None:
    """What ``git status`` says of a pack's directory and how it compares with its origin; None when it is no repository."""
    if not (directory / ".git").exists():
        return None
    text = _output(["status"], directory)
    if text is None:
        return None
    remote = _output(["config", "--get", "remote.origin.url"], directory)
    return f"{text}\n\nremote.origin.url: {remote}" if remote else text


def _output(arguments: list[str], directory: Path) -> str | None:
    done = _run(arguments, directory, None)
    return done.stdout.strip() if done.returncode == 0 else None


def _git(arguments: list[str], directory: Path | None, environment: Mapping[str, str] | None, complaint: str) -> None:
    done = _run(arguments, directory, environment)
    if done.returncode != 0:
        raise Invalid(f"{complaint}: {done.stderr.strip() or done.stdout.strip()}")


def _run(arguments: list[str], directory: Path | None, environment: Mapping[str, str] | None) -> subprocess.CompletedProcess[str]:
    full = {**os.environ, **(environment or {}), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(["git", *arguments], cwd=directory, env=full, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError:
        raise Invalid("The command git is not installed on this machine") from None
    except subprocess.TimeoutExpired:
        raise Invalid(f"git {arguments[0]} did not finish within {TIMEOUT_S} seconds") from None
