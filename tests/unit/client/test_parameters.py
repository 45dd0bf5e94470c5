"""The grammar of parameters on the command line (cli.md 4.1 and 4.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from st2client.parameters import convert, inherited_environment, parse_words

SCHEMA: dict[str, Any] = {
    "flag": {"type": "boolean"},
    "num": {"type": "number"},
    "count": {"type": "integer"},
    "items": {"type": "array"},
    "obj": {"type": "object"},
    "text": {"type": "string"},
}


def parsed(*words: str, **options: Any) -> dict[str, Any]:
    return parse_words(words, SCHEMA, options.pop("runner", {}), **options)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("flag=true", True),
        ("flag=FALSE", False),
        ("flag=1", 1),
        ("num=2", 2.0),
        ("count=-3", -3),
        ("items=a,b , c", ["a", "b", "c"]),
        ('items=[1,"b",true]', [1, "b", True]),
        ("items=51", [51]),
        ("items=a:1,b:2", ["a:1", "b:2"]),
        ('obj={"a": [2]}', {"a": [2]}),
        ("obj=a=1,b=x=y,dropped", {"a": "1", "b": "x=y"}),
        ("text=x=y", "x=y"),
        ("text=", ""),
        ("unknown=1", "1"),
    ],
)
def test_value__has_the_type_of_its_schema(word: str, expected: Any) -> None:
    (value,) = parsed(word).values()
    assert value == expected and type(value) is type(expected)


@pytest.mark.parametrize("word", ["flag=maybe", "flag=none", "count=x", "num=x", 'obj={"a"'])
def test_value__that_does_not_fit__is_refused_by_name(word: str) -> None:
    with pytest.raises(ValueError, match=word.split("=")[0]):
        parsed(word)


def test_integer__error_is_that_of_python() -> None:
    with pytest.raises(ValueError, match=r"invalid literal for int\(\) with base 10: 'x'"):
        parsed("count=x")


def test_array__repeated_key__is_concatenated() -> None:
    assert parsed("items=a", "items=b,c") == {"items": ["a", "b", "c"]}


def test_other_types__repeated_key__last_one_counts() -> None:
    assert parsed("text=a", "text=b") == {"text": "b"}


def test_array__auto_dict__makes_one_object_with_declared_types() -> None:
    assert parsed("items=a:1,b:2", auto_dict=True) == {"items": [{"a": "1", "b": "2"}]}
    schema = {"type": "array", "items": {"properties": {"a": {"type": "integer"}}}}
    assert convert("x", "a:1,b:2", schema, auto_dict=True) == [{"a": 1, "b": "2"}]
    assert convert("x", "a:1,b", schema, auto_dict=True) == ["a:1", "b"]


def test_runner_schema__decides_where_it_knows_the_name() -> None:
    assert parsed("text=5", runner={"text": {"type": "integer"}}) == {"text": 5}


def test_first_word_without_equals__ends_parsing() -> None:
    assert parsed("count=1", "echo", "a=b", "c") == {"count": 1, "cmd": "echo a=b c"}


def test_file__is_sent_as_text(tmp_path: Path) -> None:
    file = tmp_path / "in.txt"
    file.write_bytes(b"1\r\n2\n")
    assert parsed(f"@count={file}") == {"count": "1\r\n2\n"}
    assert parsed(f"@any={file}", action_ref="core.http") == {"file_name": "in.txt", "file_content": "1\r\n2\n", "method": "POST"}
    assert parsed(f"@any={file}", "method=PUT", action_ref="core.http")["method"] == "PUT"


def test_file__not_there_or_no_text__is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'File "/.*none" doesn\'t exist'):
        parsed(f"@text={tmp_path}/none")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8"):
        parsed(f"@text={tmp_path}/binary")


def test_inherited_environment__leaves_out_the_shell() -> None:
    assert inherited_environment({"HOME": "/h", "Path": "/bin", "LANG": "C", "MY_VAR": "1"}) == {"MY_VAR": "1"}
