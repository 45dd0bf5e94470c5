"""Action aliases: reading commands, choosing the alias, help."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from st2common.aliases import (
    AliasFormatError,
    AliasParseError,
    FormatEntry,
    _has_anchor,
    check_immutable,
    compile_format,
    extract_parameters,
    format_entries,
    help_page,
    match_command,
    split_pairs,
)
from st2common.exceptions import Invalid


@dataclass
class AnAlias:
    name: str
    formats: list[Any]
    pack: str = "p"
    description: str | None = None
    enabled: bool = True


@pytest.mark.parametrize(
    ("command", "rest", "pairs"),
    [
        ("foo bar x=1", "foo bar", {"x": "1"}),
        ("x=1 y=2", "", {"x": "1", "y": "2"}),
        ("foo x=1 bar", "foo x=1 bar", {}),
        ("foo x = 1", "foo x = 1", {}),
        ("foo x=", "foo x=", {}),
        ("foo x=\"\" y=''", "foo", {"x": "", "y": ""}),
        ('foo x="one two" y=\'a b=c\' z={"k": 1}', "foo", {"x": "one two", "y": "a b=c", "z": '{"k": 1}'}),
        ('foo z={"a": {"b": 1}}', "foo", {"z": '{"a": {"b": 1}'}),
        ("foo x=1 x=2", "foo", {"x": "2"}),
        ("foo x=1\n y=2 \n", "foo", {"x": "1", "y": "2"}),
        ("foo =1", "foo =1", {}),
        ("foo x='a b", "foo x='a b", {}),
        ("", "", {}),
        ("   ", "   ", {}),
    ],
)
def test_split_pairs(command: str, rest: str, pairs: dict[str, str]) -> None:
    assert split_pairs(command) == (rest, pairs)


def test_split_pairs__many_quotes_and_no_run__takes_no_time() -> None:
    started = time.monotonic()
    command = " ".join(f'k{number}="a"' for number in range(60)) + " end"
    assert split_pairs(command) == (command, {})
    assert time.monotonic() - started < 1


# The grammar of a run, said once more as one expression (it takes exponential time on some texts, so only short ones are tried).
_RUN = re.compile(r"""((?:(?:^|\s+)\S+?=(?:""|''|"(?:.+?)"|'(?:.+?)'|{.+?}|\S+)\s*)*)$""", re.DOTALL)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(["a", "=", " ", '"', "'", "{", "}", "x=1", " k=", "\n"]), max_size=9).map("".join))
def test_split_pairs__any_text__longest_run(command: str) -> None:
    found = _RUN.search(command)
    assert found is not None
    ending = found[1]
    rest, _ = split_pairs(command)
    assert rest == (command.replace(ending, "") if ending.strip() else command)


@pytest.mark.parametrize(
    ("pattern", "start", "end"),
    [
        ("foo", False, False),
        ("^foo$", True, True),
        (r"\Afoo\Z", True, True),
        (r"\^foo\$", False, False),
        ("[^a]b[$]", False, False),
        ("[]^]b", False, False),
        ("(^foo)", True, False),
        ("(?:^foo)x", True, False),
        ("(?P<n>(^)foo$)", True, True),
        ("(?i:^)foo", True, False),
        ("^a|b", False, False),
        ("a|^b", True, False),
        (r"(?:\b|^)foo(?:\b|$)", True, True),
        (r"(?:^|\b)foo(?:$|\b)", False, False),
        (r"(?:a|b|^)foo", False, False),
        ("(?=^)foo(?!$)(?<=^)x(?<!$)", False, False),
        ("(?:^)?foo(?: x$)*", False, False),
        ("(?#^)foo", False, False),
        ("(a)(?P<n>b)(?P=n)$", False, True),
        ("(?>^)a", False, False),
    ],
)
def test_has_anchor(pattern: str, start: bool, end: bool) -> None:
    assert _has_anchor(pattern, ("^", r"\A")) is start
    assert _has_anchor(pattern, ("$", r"\Z")) is end


def test_format__blanks_in_the_name__is_no_placeholder() -> None:
    assert compile_format("foo {{ a }} and {{b='x y'}}").defaults == {"b": "x y"}


@pytest.mark.parametrize(("command", "expected"), [("say", {"text": "hi", "n": None}), ("say yo 3", {"text": "yo", "n": "3"})])
def test_parse__own_groups__are_parameters_too(command: str, expected: dict[str, str | None]) -> None:
    assert compile_format(r"say {{ text = hi }}( (?P<n>\d+))?").parse(command) == expected


def test_parse__nothing_supplied__says_so() -> None:
    with pytest.raises(AliasParseError, match="No value supplied and no default value found."):
        compile_format('{{ a = "" }}').parse("")


def test_format_entries() -> None:
    formats = [
        "plain {{ a }}",
        {"display": "d", "representation": ["r1", "r2"]},
        {"display": "help"},
        {"representation": "r3", "match_multiple": True},
    ]
    assert format_entries(formats) == [
        FormatEntry("plain {{ a }}", "plain {{ a }}"),
        FormatEntry("d", "r1"),
        FormatEntry("d", "r2"),
        FormatEntry("help", ""),
        FormatEntry(None, "r3", True),
    ]
    with pytest.raises(AliasFormatError):
        format_entries([5])


def test_match_command__one_fits() -> None:
    run = AnAlias("run", ["bad [", {"display": "run <cmd>", "representation": ["run {{ cmd }}"]}, {"display": "only help"}])
    off = AnAlias("off", ["run {{ other }}"], enabled=False)
    found = match_command("run date", [off, run])
    assert (found.alias, found.entry.display, found.entry.representation) == (run, "run <cmd>", "run {{ cmd }}")


def test_match_command__none_or_several__refused() -> None:
    aliases = [AnAlias("a", ["run {{ a }}", "run {{ b }} {{ c = 1 }}"])]
    with pytest.raises(AliasParseError, match=r"^Command 'run x' matched more than 1 pattern$"):
        match_command("run x", aliases)
    with pytest.raises(AliasParseError, match=r"^Command 'walk' matched no patterns$"):
        match_command("walk", aliases)
    with pytest.raises(AliasParseError, match="matched no patterns"):
        match_command("", [AnAlias("h", [{"display": "help"}])])


def test_match_command__multiple_formats__only_if_no_other() -> None:
    multiple = {"display": "m", "representation": [r"(?:\b|^)(?P<k>[A-Z]+-\d+)(?:\b|$)"], "match_multiple": True}
    single, several = AnAlias("s", ["see {{ what }}"]), AnAlias("m", [multiple])
    assert match_command("see A-1 and B-2", [several, single]).alias is single
    found = match_command("look at A-1 and B-2", [several, single])
    assert found.alias is several
    assert extract_parameters(several, found.entry.representation, "look at A-1 and B-2 x=1") == [{"k": "A-1", "x": "1"}, {"k": "B-2", "x": "1"}]
    with pytest.raises(AliasParseError, match=r"matched more than 1 \(multi\) pattern"):
        match_command("A-1", [several, AnAlias("m2", [multiple])])


def test_extract_parameters__unknown_format__refused() -> None:
    alias = AnAlias("run", ["run {{ cmd }}"])
    assert extract_parameters(alias, "run {{ cmd }}", "run date timeout=9") == [{"cmd": "date", "timeout": "9"}]
    with pytest.raises(Invalid, match='Format string "x" is not available on the alias "run"'):
        extract_parameters(alias, "x", "run date")


def test_check_immutable() -> None:
    check_immutable({"a": 1}, {"b": 2})
    with pytest.raises(Invalid, match="Immutable arguments cannot be overriden: b,c"):
        check_immutable({"c": 1, "b": 2}, {"b": 2, "c": 3})


@dataclass
class Help:
    aliases: list[AnAlias] = field(
        default_factory=lambda: [
            AnAlias("one", ["run {{ a }}", {"display": "exec <a>", "representation": ["x", "y"]}, {"representation": "hidden"}], "a", "first"),
            AnAlias("off", ["gone"], "a", enabled=False),
            AnAlias("two", ["Run all"], "b"),
        ]
    )


@pytest.mark.parametrize(
    ("query", "available", "displays"),
    [
        ({}, 3, ["run {{ a }}", "exec <a>", "Run all"]),
        ({"filter": "^RUN"}, 2, ["run {{ a }}", "Run all"]),
        ({"pack": "a"}, 2, ["run {{ a }}", "exec <a>"]),
        ({"limit": 1}, 3, ["run {{ a }}"]),
        ({"offset": 1}, 3, ["exec <a>", "Run all"]),
        ({"limit": 1, "offset": 1}, 3, ["exec <a>"]),
        ({"pack": "none"}, 0, []),
    ],
)
def test_help_page(query: dict[str, Any], available: int, displays: list[str]) -> None:
    page = help_page(Help().aliases, **query)
    assert page.available == available
    assert [item["display"] for item in page.helpstrings] == displays


def test_help_page__bad_filter__refused() -> None:
    with pytest.raises(Invalid, match="Invalid filter"):
        help_page([], filter="[")
