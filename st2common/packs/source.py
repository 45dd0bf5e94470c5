"""Install arguments: ``name``, ``name=version``, ``org/repo``, a URL or a local directory (content.md 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from st2common.exceptions import Invalid

SEPARATOR = "="


@dataclass(frozen=True)
class Source:
    """Where a pack comes from.

    Attributes:
        argument: what somebody asked for.
        url: of the repository, or ``file://`` and a directory.
        version: a version, branch, tag or commit; None = the tip of the default branch.
    """

    argument: str
    url: str
    version: str | None

    @property
    def directory(self) -> str | None:
        """The directory to copy from, None when there is a repository to clone."""
        if self.url.startswith("file://") and not self.url.endswith(".git"):
            return self.url[len("file://") :]
        return None


def split_argument(argument: str) -> tuple[str, str | None]:
    """``what=version`` in its two parts; the version is None when there is none."""
    what, _, version = argument.partition(SEPARATOR)
    return what, version or None


def resolve_source(argument: str, lookup: Callable[[str], Mapping[str, Any] | None]) -> Source:
    """What to fetch.

    Args:
        argument: see the module.
        lookup: an index entry by pack name, None when no index knows it. Called only for arguments without a slash.

    Raises:
        Invalid: no index knows the name.
    """
    what, version = split_argument(argument)
    if "/" not in what:
        entry = lookup(what)
        if entry is None:
            raise Invalid(f'No record of the "{what}" pack in the index.')
        return Source(argument, str(entry["repo_url"]), version or entry.get("version"))
    if what.startswith(("gitlab@", "file://")):
        return Source(argument, what, version)
    if what.count("/") == 1 and "git@" not in what:
        return Source(argument, f"https://github.com/{what}", version)
    return Source(argument, what, version)
