"""Walking pack directories."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2common.exceptions import Invalid
from st2common.packs.overrides import Overrides
from st2common.packs.reader import Item, PackDirectory, Problem, find_packs, read_config_schema, read_kind, read_manifest

MANIFEST = "name: demo\ndescription: d\nversion: 1.0.0\nauthor: a\nemail: a@example.com\n"


@pytest.fixture
def pack(tmp_path: Path) -> PackDirectory:
    made = PackDirectory(tmp_path / "packs" / "demo")
    write(made, "pack.yaml", MANIFEST)
    return made


def write(pack: PackDirectory, file: str, text: str) -> None:
    target = pack.path / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def test_which_files_count(pack: PackDirectory) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "config.yaml", "d.yaml.bak", "sub/e.yaml", "f.py"):
        write(pack, f"actions/{name}", "name: x\nrunner_type: noop\n")
    write(pack, "rules/config.yaml", "")
    assert [file.name for file in pack.files("action")] == ["a.yml", "b.yaml"]
    assert [file.name for file in pack.files("rule")] == ["config.yaml"]
    assert pack.files("sensor") == []


def test_bad_files_are_reported_with_their_line_and_the_good_ones_read(pack: PackDirectory) -> None:
    good = "name: good\nrunner_type: noop\n"
    write(pack, "actions/a_good.yaml", good)
    write(pack, "actions/b_syntax.yaml", "name: b\nrunner_type: [noop\nenabled: true\n")
    write(pack, "actions/c_duplicate.yaml", "name: c\nrunner_type: noop\nname: d\n")
    write(pack, "actions/d_schema.yaml", "name: d\nrunner_type: noop\nparameters:\n  x:\n    type: string\n    required: [y]\n")
    write(pack, "actions/e_unknown_key.yaml", "name: e\nrunner_type: noop\ncolour: red\n")
    write(pack, "actions/f_list.yaml", "- name: f\n")
    write(pack, "actions/g_empty.yaml", "")
    write(pack, "actions/h_other_pack.yaml", "name: h\nrunner_type: noop\npack: other\n")
    write(pack, "actions/i_latin.yaml", "")
    (pack.path / "actions" / "i_latin.yaml").write_bytes(b"name: \xfc\n")
    write(pack, "actions/z_good.yaml", good.replace("good", "also_good"))

    found = list(read_kind(pack, "action"))
    assert [item.values["name"] for item in found if isinstance(item, Item)] == ["good", "also_good"]
    problems = {Path(item.file).name: (item.line, item.reason) for item in found if isinstance(item, Problem)}
    assert len(problems) == 8
    assert problems["b_syntax.yaml"][0] == 3
    assert problems["c_duplicate.yaml"] == (3, 'found duplicate key "name", first on line 1')
    assert problems["d_schema.yaml"] == (6, "['y'] is not of type 'boolean'")
    assert problems["e_unknown_key.yaml"] == (1, "Additional properties are not allowed ('colour' was unexpected)")
    assert problems["f_list.yaml"][1].endswith("is not of type 'object'")
    assert problems["g_empty.yaml"] == (None, "the file is empty")
    assert problems["h_other_pack.yaml"] == (3, 'Model is in pack "demo" but field "pack" is different: other')
    assert "not UTF-8" in problems["i_latin.yaml"][1]


def test_metadata_file_is_relative(pack: PackDirectory) -> None:
    write(pack, "actions/a.yaml", "name: a\nrunner_type: noop\n")
    (item,) = read_kind(pack, "action")
    assert isinstance(item, Item)
    assert item.values["metadata_file"] == "actions/a.yaml"
    assert item.values["pack"] == "demo"


def test_a_sensor_needs_its_python_file(pack: PackDirectory) -> None:
    write(pack, "sensors/s.yaml", "class_name: S\nentry_point: s.py\n")
    (problem,) = read_kind(pack, "sensor")
    assert isinstance(problem, Problem)
    assert problem.line == 2
    write(pack, "sensors/s.py", "")
    (item,) = read_kind(pack, "sensor")
    assert isinstance(item, Item)


def test_find_packs(pack: PackDirectory, tmp_path: Path) -> None:
    second = PackDirectory(tmp_path / "more" / "demo")
    write(second, "pack.yaml", MANIFEST)
    write(PackDirectory(tmp_path / "more" / "other"), "pack.yaml", MANIFEST)
    (tmp_path / "more" / "no_pack").mkdir()
    packs, hidden = find_packs([tmp_path / "packs", tmp_path / "more", tmp_path / "packs", tmp_path / "nowhere"])
    assert {name: found.path for name, found in packs.items()} == {"demo": pack.path, "other": tmp_path / "more" / "other"}
    assert hidden == [second]


def test_manifest_lists_the_files(pack: PackDirectory) -> None:
    for name in ("actions/a.py", "actions/__pycache__/a.pyc", ".git/config", "README.md"):
        write(pack, name, "")
    values = read_manifest(pack)
    assert values["files"] == ["README.md", "pack.yaml", "actions/a.py"]
    assert values["path"] == str(pack.path)
    assert values["ref"] == "demo"


def test_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r'^Pack "demo" is missing pack\.yaml file$'):
        read_manifest(PackDirectory(tmp_path / "demo"))


def test_config_schema(pack: PackDirectory) -> None:
    assert read_config_schema(pack) is None
    write(pack, "config.schema.yaml", "url: {type: string, required: true, secret: true}\n")
    assert read_config_schema(pack) == {"url": {"type": "string", "required": True, "secret": True}}
    write(pack, "config.schema.yaml", "url: {type: strng}\n")
    with pytest.raises(Invalid, match="strng"):
        read_config_schema(pack)
    write(pack, "config.schema.yaml", "")
    with pytest.raises(Invalid, match="is empty and invalid"):
        read_config_schema(pack)


@pytest.mark.parametrize(
    ("layers", "given", "enabled", "changed"),
    [
        ([], None, True, False),
        ([("_global", {"actions": {"defaults": {"enabled": False}}})], None, False, True),
        ([("_global", {"actions": {"exceptions": {"a": {"enabled": False}}}})], None, True, False),
        ([("demo", {"actions": {"exceptions": {"a": {"enabled": False}}}})], None, False, True),
        ([("demo", {"actions": {"exceptions": {"b": {"enabled": False}}}})], None, True, False),
        ([("demo", {"actions": {"defaults": {"enabled": False}, "exceptions": {"a": {"enabled": True}}}})], None, True, False),
        ([("demo", {"actions": {"defaults": {"enabled": True}}})], False, True, True),
        ([("demo", {"rules": {"defaults": {"enabled": False}}})], None, True, False),
    ],
)
def test_overrides(layers: list[tuple[str, dict]], given: bool | None, enabled: bool, changed: bool) -> None:
    values = {"name": "a", "enabled": True if given is None else given}
    assert Overrides("demo", tuple(layers)).apply("action", values, given) is changed
    assert values["enabled"] is enabled
