"""The metadata of the built-in packs against what upstream's API shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from st2common.packs import reader

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDED = REPOSITORY.parent / "shared" / "conformance" / "api"
MASKED = ("<<prose>>", "<<string>>", "<<list>>", "<<{id}>>", "<<any>>", "<<object>>")


def recorded(resource: str, case: str) -> Any:
    """The answer of a recorded case, or a skip where the recordings are absent."""
    file = RECORDED / f"{resource}.json"
    if not file.is_file():
        pytest.skip(f"recorded API answers are not beside this repository ({file})")
    return next(item for item in json.loads(file.read_text())["cases"] if item["name"] == case)["expect"]["json"]


def pack(name: str) -> reader.PackDirectory:
    return reader.PackDirectory(REPOSITORY / "contrib" / name)


def items(name: str, kind: str) -> dict[str, dict[str, Any]]:
    """Name -> normalised document."""
    found = list(reader.read_kind(pack(name), kind))
    problems = [str(item) for item in found if isinstance(item, reader.Problem)]
    assert problems == []
    return {item.values["name"]: item.values for item in found if isinstance(item, reader.Item)}


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Places where ``actual`` is not what ``expected`` (a template) asks for."""
    if isinstance(expected, str) and expected in MASKED:
        return []
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [f"{path}: {actual!r} is no object"]
        found = [f"{path}: {set(expected) ^ set(actual)} on one side only"] if set(expected) != set(actual) else []
        return found + [text for key in expected.keys() & actual.keys() for text in differences(expected[key], actual[key], f"{path}.{key}")]
    return [] if expected == actual and type(expected) is type(actual) else [f"{path}: {expected!r} != {actual!r}"]


def test_actions_of_core() -> None:
    actions = items("core", "action")
    expected = recorded("actions", "list core actions")
    assert sorted(actions) == [entry["name"] for entry in expected]
    for entry in expected:
        wanted = {key: value for key, value in entry.items() if key not in ("id", "uid", "ref")}
        assert differences(wanted, actions[entry["name"]], entry["name"]) == []


def test_actions_of_linux() -> None:
    expected = [entry["ref"] for entry in recorded("actions", "limit -1 is everything without X-Limit")]
    assert [f"linux.{name}" for name in sorted(items("linux", "action"))] == expected


def test_sensor_of_linux() -> None:
    (sensor,) = items("linux", "sensor").values()
    expected = recorded("sensortypes", "list by pack")[0]
    assert sensor["name"] == expected["name"]
    assert sensor["metadata_file"] == expected["metadata_file"]
    assert [f"linux.{item['name']}" for item in sensor["trigger_types"]] == expected["trigger_types"]


@pytest.mark.parametrize("name", ["core", "linux"])
def test_manifests(name: str) -> None:
    expected = recorded("packs", f"get {name}")
    del expected["id"], expected["uid"]
    manifest = reader.read_manifest(pack(name))
    assert differences(expected, manifest) == []


def test_config_schema_of_packs() -> None:
    (expected,) = recorded("configs", "schemas list")
    assert differences(expected["attributes"], reader.read_config_schema(pack("packs"))) == []


@pytest.mark.parametrize("name", ["chatops", "core", "default", "examples", "linux", "packs"])
def test_every_built_in_pack_is_valid(name: str) -> None:
    reader.read_manifest(pack(name))
    reader.read_config_schema(pack(name))
    for kind in reader.DIRECTORIES:
        items(name, kind)
