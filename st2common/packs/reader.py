"""Walk pack directories: which packs there are, what files they hold, what each file says or what is wrong with it (content.md section 1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from st2common.exceptions import Invalid
from st2common.packs import metadata
from st2common.packs.overrides import Overrides
from st2common.packs.yaml_file import YamlDocument, YamlProblem, read

MANIFEST = "pack.yaml"
CONFIG_SCHEMA = "config.schema.yaml"
EXTENSIONS = (".yaml", ".yml")

DIRECTORIES: dict[str, str] = {
    "action": "actions",
    "sensor": "sensors",
    "trigger_type": "triggers",
    "rule": "rules",
    "alias": "aliases",
    "policy": "policies",
}
"""Kind -> directory of its metadata files within a pack."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one file.

    Attributes:
        kind: action, rule... ("pack" for the manifest).
        pack: name of the pack.
        file: absolute path.
        line: where in the file, counted from 1; None when unknown.
        reason: in words.
    """

    kind: str
    pack: str
    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class Item:
    """One metadata file that could be read, checked and given its defaults.

    Attributes:
        kind: see ``DIRECTORIES``.
        path: absolute path of the file.
        values: the normalised document, with ``pack`` and ``metadata_file``.
        overridden: an override changed it.
    """

    kind: str
    path: Path
    values: dict[str, Any]
    document: YamlDocument
    overridden: bool = False


@dataclass(frozen=True)
class PackDirectory:
    """A pack on disk. Its name is that of the directory."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def files(self, kind: str) -> list[Path]:
        """Metadata files of a kind, sorted; not those in folders below, and never ``actions/config.<ext>``."""
        directory = self.path / DIRECTORIES[kind]
        if not directory.is_dir():
            return []
        found = [entry for entry in directory.iterdir() if entry.suffix in EXTENSIONS and entry.is_file()]
        return sorted(entry for entry in found if not (kind == "action" and entry.stem == "config"))

    def all_files(self) -> list[str]:
        """Every file of the pack, relative to it, without compiled Python and version control (content.md section 2, ``files``)."""
        found = []
        for entry in self.path.rglob("*"):
            relative = entry.relative_to(self.path)
            if entry.suffix == ".pyc" or ".git" in relative.parts[:1] or not entry.is_file():
                continue
            found.append(str(relative))
        return sorted(found, key=lambda name: (name.count("/"), name))


def find_packs(base_paths: Sequence[Path]) -> tuple[dict[str, PackDirectory], list[PackDirectory]]:
    """The packs below the base paths, by name, and those that a pack of the same name in an earlier path hides."""
    packs: dict[str, PackDirectory] = {}
    hidden: list[PackDirectory] = []
    for base in dict.fromkeys(base_paths):
        if not base.is_dir():
            continue
        for directory in sorted(base.iterdir()):
            if not (directory / MANIFEST).is_file():
                continue
            pack = PackDirectory(directory)
            if pack.name in packs:
                hidden.append(pack)
            else:
                packs[pack.name] = pack
    return packs, hidden


def read_manifest(pack: PackDirectory) -> dict[str, Any]:
    """The manifest with its defaults, ``files`` and ``path``.

    Raises:
        Invalid: with the reason; ``path`` names the part.
    """
    file = pack.path / MANIFEST
    if not file.is_file():
        raise Invalid(f'Pack "{pack.name}" is missing {MANIFEST} file')
    values = metadata.manifest(_content(file), pack.name)
    values["files"] = pack.all_files()
    values["path"] = str(pack.path)
    return values


def read_config_schema(pack: PackDirectory) -> dict[str, Any] | None:
    """The attributes of the configuration schema, None when the pack has none.

    Raises:
        Invalid: the file is empty or wrong.
    """
    file = pack.path / CONFIG_SCHEMA
    if not file.is_file():
        return None
    content = _content(file)
    if not content:
        raise Invalid(f'Config schema "{file}" is empty and invalid.')
    return metadata.validate("config_schema", content)


def read_config(file: Path) -> dict[str, Any]:
    """The values of a configuration file; an empty one has none.

    Raises:
        Invalid: the file is no YAML or holds something else than a mapping.
    """
    content = _content(file)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Invalid(f'Contents of config file "{file}" is not a mapping')
    return content


def _content(file: Path) -> Any:
    try:
        return read(file).content
    except YamlProblem as problem:
        place = f"{file}, line {problem.line}" if problem.line else str(file)
        raise Invalid(f"{place}: {problem.reason}") from problem


def read_kind(pack: PackDirectory, kind: str, overrides: Overrides | None = None) -> Iterator[Item | Problem]:
    """Each metadata file of a kind, in order: checked, or what is wrong with it. One bad file does not stop the others."""
    for file in pack.files(kind):
        yield read_item(pack, kind, file, overrides)


def read_item(pack: PackDirectory, kind: str, file: Path, overrides: Overrides | None = None) -> Item | Problem:
    """One metadata file."""
    try:
        document = read(file)
    except YamlProblem as problem:
        return Problem(kind, pack.name, str(file), problem.line, problem.reason)
    if document.content is None:
        return Problem(kind, pack.name, str(file), None, "the file is empty")
    try:
        values = metadata.validate(kind, document.content, pack=pack.name, from_file=True)
        _check_files(pack, kind, values)
        overridden = overrides.apply(kind, values, _explicit_enabled(document)) if overrides else False
    except Invalid as error:
        return Problem(kind, pack.name, str(file), document.line_of(error.path), error.message)
    values["metadata_file"] = str(file.relative_to(pack.path))
    return Item(kind, file, values, document, overridden)


def _explicit_enabled(document: YamlDocument) -> Any:
    return document.content.get("enabled") if isinstance(document.content, dict) else None


def _check_files(pack: PackDirectory, kind: str, values: dict[str, Any]) -> None:
    """A sensor without its Python file could never run; an action's entry point is looked for when it runs."""
    if kind == "sensor" and not (pack.path / "sensors" / values["entry_point"]).is_file():
        raise Invalid(f'Sensor entry point "{values["entry_point"]}" does not exist next to its metadata file', "entry_point")
