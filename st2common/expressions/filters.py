"""The platform's own template filters (content.md 8). Each takes the piped value first."""

from __future__ import annotations

import json
import os.path
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from jinja2 import pass_context
from jinja2.runtime import Context

from st2common.expressions.datastore import DatastoreNamespace, KeyValueLookup, decrypt_lookup, lookup_text

NONE_MARKER = "%*****__%NONE%__*****%"
"""Text that stands for null until the value is cast (content.md 3.1.2)."""

_CALENDAR_START = datetime(1, 1, 1)


def parse_json(text: str) -> Any:
    """Parses JSON; the error tells what and where, without the guesses that differ between versions of the parser.

    Raises:
        json.JSONDecodeError: e.g. ``unexpected character: line 1 column 8 (char 7)``.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise json.JSONDecodeError(error.msg.partition(",")[0], error.doc, error.pos) from None


def from_json_string(value: Any) -> Any:
    """The text form of the value, parsed as JSON."""
    return parse_json(str(value))


def from_yaml_string(value: Any) -> Any:
    """The text form of the value, parsed as YAML 1.1."""
    import yaml

    return yaml.load(str(value), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def to_json_string(value: Any, indent: int | None = None, sort_keys: bool = False, separators: tuple[str, str] | None = (",", ": ")) -> str:
    """JSON text, non-ASCII escaped."""
    return json.dumps(value, indent=indent, sort_keys=sort_keys, separators=separators)


def to_yaml_string(value: Any, indent: int | None = None, allow_unicode: bool = True) -> str:
    """YAML in block style with sorted keys; a scalar is its text and a newline."""
    import yaml

    text = str(yaml.safe_dump(value, indent=indent, allow_unicode=allow_unicode, default_flow_style=False))
    return text.removesuffix("...\n")


def to_complex(value: Any) -> str:
    """JSON text, so that a value keeps its type on the way through a template."""
    return json.dumps(value)


def json_escape(value: Any) -> str:
    """JSON text of the value without the quotes around it."""
    return json.dumps(lookup_text(value)).strip('"')


@lru_cache(maxsize=256)
def _jsonpath(query: str) -> Any:
    from jsonpath_ng import parse  # building its parser takes long; few templates need it

    return parse(query)


def jsonpath_query(value: Any, query: str) -> list[Any] | None:
    """All matches of a JSONPath query, None when there are none."""
    return [match.value for match in _jsonpath(query).find(value)] or None


def _flags(ignorecase: bool) -> int:
    return re.IGNORECASE if ignorecase else 0


def regex_match(value: Any, pattern: str = "", ignorecase: bool = False) -> bool:
    """Does the text match at its start?"""
    return re.match(pattern, str(value), _flags(ignorecase)) is not None


def regex_search(value: Any, pattern: str = "", ignorecase: bool = False) -> bool:
    """Does the text match anywhere?"""
    return re.search(pattern, str(value), _flags(ignorecase)) is not None


def regex_replace(value: Any, pattern: str = "", replacement: str = "", ignorecase: bool = False) -> str:
    r"""Every occurrence replaced; ``\1`` is the first group."""
    return re.sub(pattern, replacement, str(value), flags=_flags(ignorecase))


def regex_substring(value: Any, pattern: str = "", result_index: int = 0, ignorecase: bool = False) -> Any:
    """The n-th of all findings, a tuple when there are several groups; ``IndexError`` when there are fewer."""
    return re.findall(pattern, str(value), _flags(ignorecase))[result_index]


def to_human_time_from_seconds(value: float) -> str:
    """Seconds as ``1y2d3h4m5s``, from the first unit that is not zero; below one second ``<value>μs``.

    Upstream reads the units off a calendar that starts at 0001-01-01 and leaves months out, so that 97 days print as ``7d``. Recorded data
    hold packs to that, and so does this.
    """
    if not isinstance(value, int | float):
        raise AssertionError
    if value == 0:
        return "0s"
    if value < 1:
        return f"{value}μs"
    moment = _CALENDAR_START + timedelta(seconds=round(value))
    parts = ((moment.year - 1, "y"), (moment.day - 1, "d"), (moment.hour, "h"), (moment.minute, "m"), (moment.second, "s"))
    text = ""
    for count, unit in parts:
        if count or text or unit == "s":
            text += f"{count}{unit}"
    return text


def _version(value: Any) -> Any:
    from semver import Version

    return Version.parse(lookup_text(value))


def version_compare(value: Any, other: Any) -> int:
    """-1, 0 or 1 by the precedence of semantic versioning (build metadata does not count)."""
    return int(_version(value).compare(_version(other)))


def version_more_than(value: Any, other: Any) -> bool:
    """Is the version newer?"""
    return version_compare(value, other) > 0


def version_less_than(value: Any, other: Any) -> bool:
    """Is the version older?"""
    return version_compare(value, other) < 0


def version_equal(value: Any, other: Any) -> bool:
    """Same precedence?"""
    return version_compare(value, other) == 0


def version_match(value: Any, expr: str) -> bool:
    """Does the version satisfy one comparison (``>1.0.0``, ``!=1.0.0``, a bare version)?"""
    return bool(_version(value).match(expr))


def version_bump_major(value: Any) -> str:
    """Next major version."""
    return str(_version(value).bump_major())


def version_bump_minor(value: Any) -> str:
    """Next minor version."""
    return str(_version(value).bump_minor())


def version_bump_patch(value: Any) -> str:
    """Next patch version; of a pre-release, the release."""
    return str(_version(value).bump_patch())


def version_strip_patch(value: Any) -> str:
    """``MAJOR.MINOR``."""
    version = _version(value)
    return f"{version.major}.{version.minor}"


def use_none(value: Any) -> Any:
    """The none marker for null, which the cast turns into null again."""
    return NONE_MARKER if value is None else value


def basename(value: Any) -> str:
    """Last part of a path."""
    return os.path.basename(lookup_text(value))


def dirname(value: Any) -> str:
    """A path without its last part."""
    return os.path.dirname(lookup_text(value))


@pass_context
def decrypt_kv(context: Context, value: Any) -> str:
    """Decrypted text of a secret datastore item or of a ciphertext."""
    namespace = context.resolve("st2kv")
    if not isinstance(namespace, DatastoreNamespace):
        raise ValueError("The filter decrypt_kv needs the datastore (st2kv), which is not available here.")
    if isinstance(value, KeyValueLookup):
        return decrypt_lookup(value, namespace.decrypted)
    return namespace.decrypted(str(value))


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        from_json_string,
        from_yaml_string,
        to_json_string,
        to_yaml_string,
        to_complex,
        json_escape,
        jsonpath_query,
        regex_match,
        regex_search,
        regex_replace,
        regex_substring,
        to_human_time_from_seconds,
        version_compare,
        version_more_than,
        version_less_than,
        version_equal,
        version_match,
        version_bump_major,
        version_bump_minor,
        version_bump_patch,
        version_strip_patch,
        use_none,
        basename,
        dirname,
        decrypt_kv,
    )
}
"""Every filter by its name in templates."""
