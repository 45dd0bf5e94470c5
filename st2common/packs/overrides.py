"""Overrides: switch resources of packs on or off without touching the packs (content.md 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from st2common.exceptions import Invalid
from st2common.packs.yaml_file import YamlProblem, read

GLOBAL = "_global"
_TYPES = {"sensor": "sensors", "action": "actions", "rule": "rules", "alias": "aliases"}
_KEYS = ("enabled",)


@dataclass(frozen=True)
class Overrides:
    """What applies to one pack: the global file first, then the pack's own.

    Attributes:
        pack: the pack's name.
        layers: (name of the file without extension, its content), in the order in which they apply.
    """

    pack: str
    layers: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=())

    @classmethod
    def load(cls, directory: Path, pack: str) -> Overrides:
        """Read ``_global.yaml`` and ``<pack>.yaml`` of the directory, as far as they exist.

        Raises:
            Invalid: a file is no YAML, or holds something else than mappings.
        """
        layers = []
        for name in (GLOBAL, pack):
            file = directory / f"{name}.yaml"
            if not file.is_file():
                continue
            try:
                content = read(file).content
            except YamlProblem as problem:
                raise Invalid(f"{file}, line {problem.line}: {problem.reason}") from problem
            if content is not None and not isinstance(content, Mapping):
                raise Invalid(f"Override file {file} must hold a mapping")
            layers.append((name, content or {}))
        return cls(pack, tuple(layers))

    def apply(self, kind: str, values: dict[str, Any], given: Any) -> bool:
        """Change ``values`` in place. Returns whether that changed the resource.

        Args:
            kind: kind of the resource.
            values: its normalised document.
            given: ``enabled`` as its file gives it, None when it does not: setting true on such a one is no change.

        Raises:
            Invalid: an override names a key that cannot be overridden.
        """
        section = _TYPES.get(kind)
        if section is None:
            return False
        changed = False
        for source, content in self.layers:
            rules = content.get(section) or {}
            for key, value in self._wanted(source, rules, values["name"]):
                before = given if given is not None else True
                if value != before:
                    changed = True
                values[key] = value
                given = value
        return changed

    def _wanted(self, source: str, rules: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
        wanted: list[tuple[str, Any]] = []
        for key, value in (rules.get("defaults") or {}).items():
            if key not in _KEYS:
                raise Invalid(f"Override attempted with invalid default key {key} in pack {self.pack}")
            wanted.append((key, value))
        if source != GLOBAL:
            for key, value in ((rules.get("exceptions") or {}).get(name) or {}).items():
                if key not in _KEYS:
                    raise Invalid(f"Override attempted with invalid exceptions key {key} in pack {self.pack}")
                wanted = [(key, value)]
        return wanted
