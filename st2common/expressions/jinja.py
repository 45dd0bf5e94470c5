"""Jinja as the platform speaks it: sandboxed, strict about undefined names, with the filters of ``filters.py`` (content.md 8).

Compiled templates are kept, so that rendering the same text again costs microseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import StrictUndefined, Template, Undefined, meta
from jinja2.runtime import Context, missing
from jinja2.sandbox import SandboxedEnvironment

from st2common.exceptions import Unavailable
from st2common.expressions.errors import RenderError
from st2common.expressions.filters import FILTERS, parse_json

_TEMPLATES = 4096
_LONGEST_CACHED = 64 * 1024

_QUOTED_VARIABLE = re.compile(r'"\{\{(\w+)\}\}"')
_ONE_EXPRESSION = re.compile(r"(\{\{[-+]?)(.*?)([-+]?\}\})(?=[^}]*$)")
_EACH_EXPRESSION = re.compile(r"(\{\{[-+]?)(.*?)([-+]?\}\})")


class Lazy:
    """A variable that is worked out only when a template names it, and then once.

    Args:
        load: makes the value.
    """

    __slots__ = ("_load", "_value")

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._value: Any = missing

    def get(self) -> Any:
        """The value."""
        if self._value is missing:
            self._value = self._load()
        return self._value


class _Context(Context):
    """Template context that opens ``Lazy`` variables."""

    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        return value.get() if isinstance(value, Lazy) else value


class _Environment(SandboxedEnvironment):
    context_class = _Context


def _environment(undefined: type[Undefined]) -> _Environment:
    environment = _Environment(undefined=undefined, trim_blocks=True, lstrip_blocks=True, cache_size=0)
    environment.filters.update(FILTERS)
    return environment


_STRICT = _environment(StrictUndefined)
_LENIENT = _environment(Undefined)


def is_template(value: Any) -> bool:
    """Does the value hold template text? Objects and lists are looked at in their textual form (content.md 3.1.2)."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict | list | tuple):
        text = str(value)
        return "{{" in text or "{%" in text
    return False


@lru_cache(maxsize=_TEMPLATES)
def _cached_template(text: str, allow_undefined: bool) -> Template:
    return (_LENIENT if allow_undefined else _STRICT).from_string(text)


def _template(text: str, allow_undefined: bool) -> Template:
    if len(text) > _LONGEST_CACHED:
        return (_LENIENT if allow_undefined else _STRICT).from_string(text)
    return _cached_template(text, allow_undefined)


def render(text: str, variables: Mapping[str, Any], *, allow_undefined: bool = False) -> str:
    """Renders template text.

    Args:
        text: the template; plain text comes back as it is (but for one trailing newline, as always in Jinja).
        variables: what the template may name; a ``Lazy`` is opened when named.
        allow_undefined: an undefined name prints as empty text instead of failing.

    Raises:
        RenderError: bad syntax, an undefined name, or whatever a filter or a look-up raised (``cause``).
        Unavailable: raised by a datastore read, passed on.
    """
    if "{" not in text and "\n" not in text and "\r" not in text:
        return text
    try:
        return _template(text, allow_undefined).render(variables)
    except Unavailable:  # the database behind a look-up is away: no fault of the template
        raise
    except Exception as error:  # expressions can raise anything; callers get one class
        raise RenderError(error) from error


def render_value(value: Any, variables: Mapping[str, Any], *, allow_undefined: bool = False) -> Any:
    """Renders a value of any type (content.md 3.1.2).

    Text gives text. Objects and lists are rendered as JSON text and parsed again; an exact ``"{{name}}"`` inside them keeps the type of that
    variable. Everything else, and whatever holds no template, comes back unchanged.

    Raises:
        RenderError: as ``render``; also when the rendered JSON does not parse.
    """
    if not is_template(value):
        return value
    if isinstance(value, str):
        return render(value, variables, allow_undefined=allow_undefined)
    try:
        text = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
        return parse_json(render(_QUOTED_VARIABLE.sub(r"{{\1 | to_complex}}", text), variables, allow_undefined=allow_undefined))
    except (json.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise RenderError(error) from error


@lru_cache(maxsize=_TEMPLATES)
def _with_types(text: str) -> str:
    """The text with every expression piped through ``to_complex``."""
    expression = _ONE_EXPRESSION if text.count("{{") == 1 else _EACH_EXPRESSION
    return expression.sub(r"\1(\2) | to_complex\3", text)


def render_typed(text: str, variables: Mapping[str, Any]) -> Any:
    """Renders a rule pattern: an expression keeps its type, text around it makes text (reactor.md 6.2 point 2).

    Raises:
        RenderError: as ``render``; also for a value that has no JSON form, such as a bare datastore look-up.
    """
    if "{{" not in text:
        return render(text, variables)
    typed = _with_types(text)
    if not _compiles(typed):
        return render(text, variables)
    try:
        return json.loads(render(typed, variables))
    except json.JSONDecodeError:
        return render(text, variables)


@lru_cache(maxsize=_TEMPLATES)
def _compiles(text: str) -> bool:
    try:
        _template(text, False)
    except Exception:  # noqa: BLE001 - the plain form is rendered next and reports what is wrong
        return False
    return True


@lru_cache(maxsize=_TEMPLATES)
def _cached_variables(text: str) -> frozenset[str]:
    return frozenset(meta.find_undeclared_variables(_STRICT.parse(text)))


def template_variables(text: str) -> frozenset[str]:
    """Top-level names that a template reads from its variables.

    Raises:
        RenderError: the text is no valid template (``cause`` is Jinja's ``TemplateSyntaxError``).
    """
    try:
        if len(text) > _LONGEST_CACHED:
            return frozenset(meta.find_undeclared_variables(_STRICT.parse(text)))
        return _cached_variables(text)
    except Exception as error:  # the parser fails with several classes (also RecursionError)
        raise RenderError(error) from error
