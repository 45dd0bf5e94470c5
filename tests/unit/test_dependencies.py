"""What the packages import is what ``pyproject.toml`` declares: a machine that has only that can run everything."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("st2common", "st2api", "st2auth", "st2reactor", "st2actions", "st2client")
OPTIONAL = {"winrm"}
"""Imported where used, by a runner whose extra the user installs."""
COMES_WITH = {"urllib3": "requests", "amqp": "kombu", "jsonschema_specifications": "jsonschema", "referencing": "jsonschema"}
"""Modules of a dependency's own dependency, spoken to through it."""


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    return {re.split(r"[\[<>=!~; ]", name)[0].lower().replace("_", "-") for name in names}


def imported(package: str) -> dict[str, Path]:
    """Top-level modules that a package's files import, each with one file that does."""
    found: dict[str, Path] = {}
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            found.update({name.partition(".")[0]: path for name in names})
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import__is_declared(package: str) -> None:
    distributions = packages_distributions()
    for name, path in imported(package).items():
        if name in sys.stdlib_module_names or name in PACKAGES or name in OPTIONAL:
            continue
        name = COMES_WITH.get(name, name)
        owners = {owner.lower().replace("_", "-") for owner in distributions.get(name, [name])}
        assert owners & declared(), f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not declare"
