"""Authentication backends: the built-in one, and those of installed packages (entry point group ``st2auth.backends.backend``)."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from st2auth.backends.flat_file import FlatFileBackend
from st2common.exceptions import ConfigError

GROUP = "st2auth.backends.backend"
BUILT_IN: dict[str, type] = {"flat_file": FlatFileBackend}


def load_backend(name: str, kwargs_text: str) -> Any:
    """The configured backend. An installed package wins over the built-in backend of the same name.

    Args:
        name: ``[auth] backend``.
        kwargs_text: ``[auth] backend_kwargs``, a JSON object or "".

    Raises:
        ConfigError: no such backend, it cannot be imported, or it does not take these arguments.
    """
    return make(find(GROUP, name, BUILT_IN, "[auth] backend"), parse_kwargs(kwargs_text, "[auth] backend_kwargs"), f'[auth] backend "{name}"')


def find(group: str, name: str, built_in: dict[str, type], option: str) -> type:
    """The class of a backend by name.

    Raises:
        ConfigError: unknown, or its package is broken.
    """
    installed: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group) if not point.value.startswith("st2auth.")}
    if name in installed:
        try:
            return installed[name].load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f'{option}: "{name}" ({installed[name].value}) cannot be imported: {error}') from error
    if name in built_in:
        return built_in[name]
    known = ", ".join(sorted({*installed, *built_in})) or "none"
    raise ConfigError(f'{option}: there is no backend "{name}"; installed: {known}')


def parse_kwargs(text: str, option: str) -> dict[str, Any]:
    """The arguments of a backend. The text is never repeated in errors: it may hold a password.

    Raises:
        ConfigError: not a JSON object.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{option} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{option} must be a JSON object")
    return value


def make(kind: type, kwargs: dict[str, Any], option: str) -> Any:
    """An instance.

    Raises:
        ConfigError: it does not take these arguments.
    """
    try:
        return kind(**kwargs)
    except (TypeError, ValueError, OSError) as error:
        raise ConfigError(f"{option}: {error}") from error
