"""YAML with places."""

from __future__ import annotations

from pathlib import Path

import pytest

from st2common.packs.yaml_file import YamlProblem, parse, read


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'found duplicate key "a", first on line 1'),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", 4, 'found duplicate key "b", first on line 2'),
        ("- x: 1\n  x: 2\n", 2, 'found duplicate key "x", first on line 1'),
        ("a: [1, 2\nb: 3\n", 2, "while parsing a flow sequence"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("a: *nowhere\n", 1, "found undefined alias"),
        ("? [1]\n: x\n", 1, "unhashable"),
        ("\tx: 1\n", 1, "cannot start any token"),
    ],
)
def test_problems_name_their_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(YamlProblem) as caught:
        parse(text)
    assert caught.value.line == line
    assert reason in caught.value.reason


def test_merge_keys_are_no_duplicates() -> None:
    assert parse("base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  x: 3\n").content["more"] == {"x": 3, "y": 2}


def test_empty() -> None:
    document = parse("# nothing\n")
    assert document.content is None
    assert document.line_of("a.b") is None


def test_lines_of_parts() -> None:
    document = parse("name: x\nparameters:\n  cmd:\n    type: strng\n  other.one:\n    type: string\ntags:\n  - name: a\n  - name: b\n")
    assert document.line_of("") == 1
    assert document.line_of("parameters.cmd.type") == 4
    assert document.line_of("parameters.cmd.default") == 3
    assert document.line_of("parameters.other.one.type") == 6
    assert document.line_of("tags.1.name") == 9
    assert document.line_of("nothing.here") == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Grüße".encode("latin-1"))
    with pytest.raises(YamlProblem, match="not UTF-8"):
        read(tmp_path / "latin.yaml")
    with pytest.raises(YamlProblem, match="cannot be read"):
        read(tmp_path / "nowhere.yaml")
