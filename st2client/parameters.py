"""The words after `st2 run <action>` as parameters: pure, except that `@key=path` reads its file (cli.md 4.1 and 4.2)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_NOT_INHERITED = frozenset(
    "pwd mail username user path home ps1 shell pythonpath ssh_tty ssh_connection lang ls_colors logname oldpwd term xdg_session_id".split()
)
"""Variables of the shell itself, useless or harmful on the machine where the action runs (cli.md 4.3)."""


def inherited_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that `--inherit-env` sends."""
    return {name: value for name, value in environment.items() if name.lower() not in _NOT_INHERITED}


def parse_words(
    words: Iterable[str],
    action_schema: Mapping[str, Schema],
    runner_schema: Mapping[str, Schema],
    *,
    action_ref: str = "",
    auto_dict: bool = False,
) -> dict[str, Any]:
    """Turn command line words into parameters.

    Args:
        words: `key=value`, `@key=path`; the first other word and all after it become `cmd`.
        action_schema, runner_schema: parameters by name; a name the runner defines has the runner's type.
        action_ref: `core.http` reads `@file` differently.
        auto_dict: make an array of `a:1` items an object.

    Raises:
        ValueError: a value does not fit its type, or a file is missing.
    """
    words = list(words)
    parameters: dict[str, Any] = {}
    for position, word in enumerate(words):
        key, equals, text = word.partition("=")
        if not equals:
            parameters["cmd"] = " ".join(words[position:])
            break
        if key.startswith("@"):
            _add_file(parameters, key[1:], text, action_ref)
            continue
        schema = runner_schema.get(key) or action_schema.get(key) or {}
        value = convert(key, text, schema, auto_dict=auto_dict)
        if schema.get("type") == "array" and isinstance(parameters.get(key), list):
            parameters[key] = parameters[key] + value
        else:
            parameters[key] = value
    if "file_content" in parameters and action_ref == "core.http":
        parameters.setdefault("method", "POST")
    return parameters


def _add_file(parameters: dict[str, Any], key: str, path: str, action_ref: str) -> None:
    absolute = os.path.abspath(path)
    if not os.path.isfile(absolute):
        raise ValueError(f'File "{absolute}" doesn\'t exist')
    try:
        with open(absolute, encoding="utf-8", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(f'File "{absolute}" is not UTF-8 text: {error}') from error
    if action_ref == "core.http":
        parameters["file_name"], parameters["file_content"] = os.path.basename(absolute), text
    else:
        parameters[key] = text


def convert(name: str, text: str, schema: Schema, *, auto_dict: bool = False) -> Any:
    """Text as a value of the schema's type; the text itself when the type is unknown."""
    kind = schema.get("type")
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
        if kind == "boolean":
            return _boolean(text)
        if kind == "array":
            return _array(text, schema, auto_dict)
        if kind == "object":
            return _object(text)
    except ValueError as error:
        raise ValueError(f'{error} (parameter "{name}" is of type {kind})') from error
    return text


def _boolean(text: str) -> Any:
    literal = text.strip().capitalize()
    if literal in ("True", "False"):
        return literal == "True"
    for number in (int, float):
        try:
            return number(literal)
        except ValueError:
            continue  # not that kind of number
    raise ValueError(f"{text!r} is neither true nor false")


def _array(text: str, schema: Schema, auto_dict: bool) -> list[Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        items: list[Any] = [item.strip() for item in text.split(",")]
    else:
        items = parsed if isinstance(parsed, list) else [parsed]
    if auto_dict and items and all(isinstance(item, str) and ":" in item for item in items):
        return [_dictionary(items, (schema.get("items") or {}).get("properties") or {})]
    return items


def _dictionary(items: list[str], properties: Mapping[str, Schema]) -> dict[str, Any]:
    pairs = (item.split(":", 1) for item in items)
    return {key: convert(key, value, properties.get(key) or {}) for key, value in pairs}


def _object(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return json.loads(text)
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)
