"""Parameters as script arguments, output as values (runners.md section 1)."""

from __future__ import annotations

import pytest

from st2actions.runners.script_arguments import positional_text, script_arguments
from st2actions.runners.shell_output import json_or_text, strip_last_newline


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("string", "a b", "a b"), ("string", None, ""), ("number", 2.0, "2.0"), ("number", 0.0, "0.0"), ("integer", 5, "5"), ("integer", 0, ""),
        (None, 0, ""), (None, "x", "x"), (None, False, ""), ("boolean", True, "1"), ("boolean", False, "0"), ("boolean", None, ""),
        ("array", ["x", "y z", 1], "x,y z,1"), ("array", [], ""), ("object", {"a": {"b": [1, None]}}, '{"a":{"b":[1,null]}}'), ("object", {}, ""),
    ],
)  # fmt: skip
def test_positional__by_declared_type(kind, value, text):
    assert positional_text(kind, value) == text


def test_named__null_empty_and_false_left_out__order_kept():
    values = {"z": "1 2", "n": None, "e": "", "t": True, "f": False, "arr": ["a", 1, None], "num": 1.5, "zero": 0}
    assert script_arguments({}, values, "--") == "--z='1 2' --t --arr='['\"'\"'a'\"'\"', 1, None]' --num=1.5 --zero=0"


def test_recorded__named_before_positional_unset_positional_is_empty():
    schemas = {"second": {"type": "integer", "position": 1}, "first": {"type": "string", "position": 0}, "flag": {}, "name": {}}
    assert script_arguments(schemas, {"flag": True, "first": "a b", "name": "n"}, "--") == "--flag --name=n 'a b' ''"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("1.50", 1.5), ('"x"', "x"), ("null", None), ("true", True), (" [1] \n", [1]), ("007", "007"), ("NaN", "NaN"), ("{a: 1}", "{a: 1}"),
        ("", ""), ("{} {}", "{} {}"), ("2026-01-02", "2026-01-02"), ("-", "-"), ("\u00a0[1]", "\u00a0[1]"),
    ],
)  # fmt: skip
def test_json__only_whole_documents(text, value):
    assert json_or_text(text) == value


@pytest.mark.parametrize(("text", "stripped"), [("x\n\n\n", "x\n\n"), ("x\r\n", "x"), ("x\n\r", "x\n"), ("", ""), ("\n", "")])
def test_strip__one_line_feed_then_one_carriage_return(text, stripped):
    assert strip_last_newline(text) == stripped
