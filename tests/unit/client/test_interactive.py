"""Forms on the terminal (cli.md 5.11)."""

from __future__ import annotations

from typing import Any

import pytest

from st2client.commands.pack import masked_secrets
from st2client.utils.interactive import InteractiveForm


class Person:
    """Types the given lines."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if not self.lines:
            raise KeyboardInterrupt
        return self.lines.pop(0)


def fill(schema: dict[str, Any], *lines: str) -> tuple[dict[str, Any], Person]:
    person = Person(*lines)
    return InteractiveForm(schema, ask=person, ask_secret=person).initiate_dialog(), person


@pytest.mark.parametrize(
    ("schema", "lines", "answer", "prompt"),
    [
        ({"type": "string"}, ["x"], "x", "p: "),
        ({"type": "string", "default": "d"}, [""], "d", "p [d]: "),
        ({}, [""], None, "p: "),
        ({"type": "integer", "default": 3}, ["x", "7"], 7, "p (integer) [3]: "),
        ({"type": "integer", "minimum": 5}, ["4", "5"], 5, "p (integer): "),
        ({"type": "number"}, ["1.5"], 1.5, "p (float): "),
        ({"type": "boolean", "default": True}, [""], True, "p (boolean) [y]: "),
        ({"type": "boolean", "required": True}, ["", "maybe", "nah"], False, "p (boolean): "),
        ({"enum": ["a", "b"], "default": "b"}, ["5", ""], "b", "p: \n 0 - a\n 1 - b\nChoose from 0, 1 [1]: "),
        ({"enum": [1, 2, 3, 4]}, ["2"], 3, "p: \n 0 - 1\n 1 - 2\n 2 - 3\n 3 - 4\nChoose from 0, 1, 2...: "),
        ({"type": "array", "default": ["a", "b"]}, ["c, d"], ["c", "d"], "p (comma-separated list) [a,b]: "),
        ({"type": "array", "items": {"type": "integer"}}, ["x", "1,2"], [1, 2], "p (comma-separated list): "),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, ["0,1"], ["a", "b"], "p: \n 0 - a\n 1 - b\nChoose from 0, 1: "),
        ({"type": "string", "secret": True}, ["s"], "s", "p (secret): "),
        ({"type": "string", "pattern": "^a"}, ["b", "ab"], "ab", "p: "),
    ],
)  # fmt: skip
def test_kinds(schema: dict[str, Any], lines: list[str], answer: Any, prompt: str) -> None:
    result, person = fill({"p": schema}, *lines)
    assert result == {"p": answer}
    assert person.prompts[0] == prompt and len(person.prompts) == len(lines)


def test_nested__names_carry_their_path() -> None:
    schema = {
        "o": {"type": "object", "properties": {"a": {"type": "string"}}},
        "l": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "integer"}}}},
    }
    result, person = fill(schema, "x", "1", "", "2", "n")
    assert result == {"o": {"a": "x"}, "l": [{"b": 1}, {"b": 2}]}
    assert [prompt.split(" ")[0] for prompt in person.prompts] == ["o.a:", "l[0].b", "~~~", "l[1].b", "~~~"]


def test_lists_of_lists__are_skipped_with_a_notice(capsys: pytest.CaptureFixture[str]) -> None:
    result, _ = fill({"p": {"type": "array", "items": {"type": "array"}}})
    assert result == {} and "Property p is skipped" in capsys.readouterr().out


def test_ctrl_c__keeps_what_was_collected(capsys: pytest.CaptureFixture[str]) -> None:
    result, _ = fill({"a": {"type": "string"}, "o": {"type": "object", "properties": {"b": {}, "c": {}}}}, "x", "y")
    assert result == {"a": "x"}
    assert capsys.readouterr().out == "Dialog interrupted.\n"


def test_preview_of_a_configuration__hides_secrets() -> None:
    attributes = {"key": {"secret": True}, "nested": {"type": "object", "properties": {"password": {"secret": True}}}}
    values = {"key": "k", "port": 1, "nested": {"password": "p", "user": "u"}}
    assert masked_secrets(values, attributes) == {"key": "********", "port": 1, "nested": {"password": "********", "user": "u"}}
