"""Action aliases: reading parameters out of a chat command, choosing the alias for a command, help texts (content.md 3.7).

A format is a regular expression with placeholders ``{{ name }}`` and ``{{ name = default }}``. All values found are text or null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

import regex

from st2common.exceptions import Invalid

LONGEST_SEARCH_S = 0.5
"""Time that one expression of a user may take on one text."""

_QUOTED_OR_BRACED = r"""\"\"|''|"(.+?)"|'(.+?)'|({.+?})"""

_PAIR = re.compile(rf"(?:^|\s+)(\S+?)=(?:{_QUOTED_OR_BRACED}|(\S+))", re.DOTALL)
_OPTIONAL = re.compile(rf"(\s*){{{{\s*(\S+?)\s*=\s*(?:{_QUOTED_OR_BRACED}|(.+?))\s*}}}}")
_REQUIRED = re.compile(r"(\s*){{\s*(\S+?)\s*}}")

# A value: what stands in single quotes, in double quotes, an object in braces, or any text; as little as possible.
_VALUE = r"""(?:(?<=\').+?(?=\')|(?<=").+?(?=")|{.+?}|.+?)"""
_QUOTE = r"['\"]?"


class AliasParseError(Invalid):
    """The command does not fit the format. Upstream's ``ParseException``."""


class AliasFormatError(Invalid):
    """The format is no valid regular expression."""


# -- one format ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AliasFormat:
    """A compiled format. Make it with ``compile_format``.

    Attributes:
        text: as written.
        expression: finds the whole command, one blank on each side of it.
        defaults: of the optional placeholders.
    """

    text: str
    expression: regex.Pattern[str]
    defaults: Mapping[str, str]

    def parse(self, command: str | None) -> dict[str, str | None]:
        """The parameters in a command.

        Raises:
            AliasParseError: the command does not fit, or gives no value at all where one is asked for.
        """
        command = command or ""
        rest, pairs = split_pairs(command)
        found = self._in_time(command, lambda: self.expression.search(f" {rest} ", timeout=LONGEST_SEARCH_S))
        if found is None:
            raise AliasParseError(f'Command "{command}" doesn\'t match format string "{self.text}"')
        return self._values(found, rest, pairs)

    def parse_all(self, command: str | None) -> list[dict[str, str | None]]:
        """The parameters of every place in the command that the format matches, without overlap; none is no error."""
        rest, pairs = split_pairs(command or "")
        found = self._in_time(command or "", lambda: list(self.expression.finditer(f" {rest} ", timeout=LONGEST_SEARCH_S)))
        return [self._values(one, rest, pairs) for one in found]

    def _in_time(self, command: str, search: Callable[[], Any]) -> Any:
        """A format may be an expression that takes for ever on some commands: neither is the platform's own."""
        try:
            return search()
        except TimeoutError as error:
            raise AliasParseError(f'Command "{command[:200]}" takes too long to match against format string "{self.text}"') from error

    def _values(self, found: Any, rest: str, pairs: Mapping[str, str]) -> dict[str, str | None]:
        values: dict[str, str | None] = found.groupdict()
        for name, default in self.defaults.items():
            if not values.get(name):
                values[name] = default
        values.update(pairs)
        if self.text and not rest.strip() and not any(values.values()):
            raise AliasParseError("No value supplied and no default value found.")
        return values


@lru_cache(maxsize=4096)
def compile_format(text: str) -> AliasFormat:
    """Compile a format. Raises ``AliasFormatError``."""
    defaults = {found[2]: _first(found.groups()[2:]) for found in _OPTIONAL.finditer(text)}
    pattern = _OPTIONAL.sub(lambda found: f"(?:{found[1]}{_group(found[2])})?", text)
    pattern = _REQUIRED.sub(lambda found: f"{found[1]}{_group(found[2])}", pattern)
    try:
        re.compile(pattern, re.DOTALL)  # on its own first, so that positions in errors are those of the format
        start = "" if _has_anchor(pattern, ("^", r"\A")) else r"^\s*"
        end = "" if _has_anchor(pattern, ("$", r"\Z")) else r"\s*$"
        expression = regex.compile(f"{start}{pattern}{end}", regex.DOTALL | regex.VERSION0)
    except (re.error, regex.error, OverflowError, RecursionError) as error:
        raise AliasFormatError(str(error)) from error
    return AliasFormat(text, expression, defaults)


def _group(name: str) -> str:
    return f"{_QUOTE}(?P<{name}>{_VALUE}){_QUOTE}"


def _first(groups: Iterable[str | None]) -> str:
    return next((group for group in groups if group), "")


# -- key=value pairs at the end of a command ----------------------------------------------------------------------------------------


def split_pairs(command: str) -> tuple[str, dict[str, str]]:
    """Cut the longest run of ``key=value`` items off the end of a command.

    Returns:
        The rest of the command (every occurrence of the cut text removed), and the pairs; of equal keys the last counts.
    """
    ending = command[_run_start(command) :]
    if not ending.strip():
        return command, {}
    pairs = {found[1]: _first(found.groups()[1:]) for found in _PAIR.finditer(ending)}
    return command.replace(ending, ""), pairs


def _run_start(command: str) -> int:
    """Where the longest run of pairs that reaches the end begins.

    Works from the end to the start and remembers, for every blank, whether a run leads from there to the end: trying the ways to
    cut a command into pairs one after another takes exponential time.
    """
    words = list(re.finditer(r"\S+", command))
    start = len(command)
    leads_to_end = {words[-1].end()} if words else set()
    for number in range(len(words) - 1, -1, -1):
        if any(end in leads_to_end for end in _pair_ends(command, words[number])):
            start = words[number - 1].end() if number else 0
            leads_to_end.add(start)
    return start


def _pair_ends(command: str, word: re.Match[str]) -> Iterator[int]:
    """Every position where a pair that begins with this word may end, before the blanks that follow."""
    equals = command.find("=", word.start() + 1, word.end())
    while equals != -1:
        value = equals + 1
        if value < word.end():
            yield word.end()
            closing = {'"': '"', "'": "'", "{": "}"}.get(command[value])
            if closing is not None:
                end = command.find(closing, value + 2)
                while end != -1:
                    if end + 1 == len(command) or command[end + 1].isspace():
                        yield end + 1
                    end = command.find(closing, end + 1)
        equals = command.find("=", value, word.end())


# -- anchors ------------------------------------------------------------------------------------------------------------------------

_FLAGS = "[aiLmsux]"
_TOKEN = re.compile(
    rf"""
      \\.                                        # escape
    | \[\^?\]?(?:\\.|[^\]\\])*\]                # character class
    | \(\?(?:P=\w+|\#[^)]*|{_FLAGS}+)\)         # whole: back reference, comment, flags
    | (?P<closed>\(\?(?:<?[=!]|>|\(\w+\)))      # opens a lookaround, atomic or conditional group
    | (?P<open>\((?:\?P<\w+>|\?[a-zA-Z-]*:)?)   # opens any other group
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
_QUANTIFIER = re.compile(r"[*+?]|\{\d*,?\d*\}")


@dataclass(slots=True)
class _Group:
    """An open group while an expression is scanned: whether each of its alternatives holds an anchor."""

    alternatives: list[bool]
    looked_into: bool

    @property
    def has_anchor(self) -> bool:
        """Of several alternatives only the second one is looked at (content.md 3.7, rule 4)."""
        return self.alternatives[0] if len(self.alternatives) == 1 else self.alternatives[1]


def _has_anchor(pattern: str, anchors: tuple[str, str]) -> bool:
    """Whether a valid expression has one of the anchors, also within groups, but not within lookarounds and repeated groups."""
    stack = [_Group([False], True)]
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        assert found is not None
        token, position = found[0], found.end()
        if token in anchors:
            stack[-1].alternatives[-1] = True
        elif token == "|":
            stack[-1].alternatives.append(False)
        elif token == ")" and len(stack) > 1:
            group = stack.pop()
            if group.looked_into and group.has_anchor and not _QUANTIFIER.match(pattern, position):
                stack[-1].alternatives[-1] = True
        elif found["open"] or found["closed"]:
            stack.append(_Group([False], looked_into=found["open"] is not None))
    return stack[0].has_anchor


# -- the formats of aliases ---------------------------------------------------------------------------------------------------------


class Alias(Protocol):
    """What is read of an alias."""

    @property
    def name(self) -> str: ...
    @property
    def pack(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def formats(self) -> Sequence[Any]: ...


A = TypeVar("A", bound=Alias)


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """One way to write a command.

    Attributes:
        display: shown in help; null if the format is not to be shown.
        representation: the format; empty for an entry that is help only.
        match_multiple: the format may match several times in one command.
    """

    display: str | None
    representation: str
    match_multiple: bool = False


@dataclass(frozen=True, slots=True)
class AliasMatch(Generic[A]):
    """The alias that a command belongs to."""

    alias: A
    entry: FormatEntry


def format_entries(formats: Iterable[Any]) -> list[FormatEntry]:
    """The entries of an alias's ``formats``: a text is display and representation, an object gives one entry per representation.

    Raises:
        AliasFormatError: an item is neither text nor object.
    """
    entries: list[FormatEntry] = []
    for item in formats:
        if isinstance(item, str):
            entries.append(FormatEntry(item, item))
        elif isinstance(item, Mapping):
            texts = item.get("representation") or []
            texts = [texts] if isinstance(texts, str) else list(texts)
            display, multiple = item.get("display"), bool(item.get("match_multiple", False))
            entries.extend(FormatEntry(display, text, multiple) for text in texts or ([""] if display else []))
        else:
            raise AliasFormatError(f"A format needs to be text or an object, got: {type(item).__name__}", "formats")
    return entries


def match_command(command: str, aliases: Iterable[A]) -> AliasMatch[A]:
    """The one alias whose format a command fits; formats with ``match_multiple`` are tried only if no other fits.

    Disabled aliases, help-only entries and formats that are no valid expression never match.

    Raises:
        AliasParseError: none or several formats fit.
    """
    candidates = [AliasMatch(alias, entry) for alias in aliases if alias.enabled for entry in format_entries(alias.formats) if entry.representation]
    for multiple, kind in ((False, ""), (True, " (multi)")):
        found = [one for one in candidates if one.entry.match_multiple is multiple and _fits(command, one.entry.representation)]
        if len(found) > 1:
            raise AliasParseError(f"Command '{command}' matched more than 1{kind} pattern")
        if found:
            return found[0]
    raise AliasParseError(f"Command '{command}' matched no patterns")


def _fits(command: str, representation: str) -> bool:
    try:
        compile_format(representation).parse(command)
    except (AliasParseError, AliasFormatError):
        return False
    return True


def extract_parameters(alias: Alias, format_text: str, command: str | None) -> list[dict[str, str | None]]:
    """The parameters of a command by one format of an alias: one mapping, or one per match with ``match_multiple``.

    Raises:
        AliasParseError: the command does not fit the format.
        AliasFormatError: the format is no valid expression.
        Invalid: the alias has no such format.
    """
    entry = next((entry for entry in format_entries(alias.formats) if entry.representation == format_text), None)
    if entry is None:
        raise Invalid(f'Format string "{format_text}" is not available on the alias "{alias.name}"')
    compiled = compile_format(format_text)
    return compiled.parse_all(command) if entry.match_multiple else [compiled.parse(command)]


def check_immutable(parameters: Mapping[str, Any], immutable: Mapping[str, Any]) -> None:
    """Refuse parameters of a command that the alias fixes. Raises ``Invalid``."""
    overridden = [name for name in immutable if name in parameters]
    if overridden:
        raise Invalid(f"Immutable arguments cannot be overriden: {','.join(overridden)}")


@dataclass(frozen=True, slots=True)
class HelpPage:
    """``available``: hits in all; ``helpstrings``: those of the page, each ``{pack, display, description}``."""

    available: int
    helpstrings: list[dict[str, Any]]


def help_page(aliases: Iterable[Alias], *, filter: str = "", pack: str = "", limit: int = 0, offset: int = 0) -> HelpPage:
    """Help texts of the enabled aliases, in their order, one per format item with a display (chatops.md 2).

    Args:
        filter: regular expression searched in the display, whatever the case; empty takes all.
        pack: of this pack only; empty takes all.
        limit: items on the page, 0 for all.
        offset: items to skip.

    Raises:
        Invalid: the filter is no valid expression.
    """
    try:
        wanted = regex.compile(filter or "", regex.IGNORECASE | regex.VERSION0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise Invalid(f'Invalid filter "{filter}": {error}', "filter") from error
    hits = [
        {"pack": alias.pack, "display": display, "description": alias.description}
        for alias in aliases
        if alias.enabled and (not pack or alias.pack == pack)
        for display in _displays(alias.formats)
        if _shows(wanted, display)
    ]
    return HelpPage(len(hits), hits[offset : offset + limit if limit > 0 else None])


def _shows(wanted: regex.Pattern[str], display: str) -> bool:
    try:
        return wanted.search(display, timeout=LONGEST_SEARCH_S) is not None
    except TimeoutError as error:
        raise Invalid(f'Invalid filter "{wanted.pattern[:200]}": it takes too long', "filter") from error


def _displays(formats: Iterable[Any]) -> list[str]:
    shown = (item if isinstance(item, str) else item.get("display") for item in formats if isinstance(item, str | Mapping))
    return [display for display in shown if display]
