"""What packs depend on: what is still missing, and what is there in another version (content.md 6.4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from st2common.packs.reader import MANIFEST
from st2common.packs.source import split_argument
from st2common.packs.yaml_file import read

_EXCHANGE_PREFIX = "stackstorm-"


@dataclass
class Dependencies:
    """Install arguments by what they mean for an installation.

    Attributes:
        missing: not installed yet.
        conflicts: installed in another version than the one that is asked for.
    """

    missing: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def examine(packs: Iterable[str], packs_path: Path) -> Dependencies:
    """Look at the dependencies that the manifests of installed packs name.

    Raises:
        YamlProblem: a manifest cannot be read.
    """
    result = Dependencies()
    for pack in packs:
        for argument in read_manifest_file(packs_path, pack).get("dependencies") or []:
            _sort_in(str(argument), packs_path, result)
    return result


def read_manifest_file(packs_path: Path, pack: str) -> dict[str, Any]:
    """The content of an installed pack's pack.yaml as written; empty when there is none."""
    file = packs_path / pack / MANIFEST
    if not file.is_file():
        return {}
    content = read(file).content
    return content if isinstance(content, dict) else {}


def _sort_in(argument: str, packs_path: Path, result: Dependencies) -> None:
    what, version = split_argument(argument)
    installed = next((manifest for name in _names(what) if (manifest := read_manifest_file(packs_path, name))), None)
    if installed is None:
        if argument not in result.missing:
            result.missing.append(argument)
    elif version is not None and _with_v(version) != _with_v(str(installed.get("version"))) and argument not in result.conflicts:
        result.conflicts.append(argument)


def _names(what: str) -> list[str]:
    """Directory names that a dependency may have: of a URL the last part, with and without the prefix of the Exchange's repositories."""
    if "/" not in what:
        return [what]
    last = what.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")
    return list(dict.fromkeys([last, last.removeprefix(_EXCHANGE_PREFIX)]))


def _with_v(version: str) -> str:
    return version if version.startswith("v") else f"v{version}"
