"""Names of resources for shell completion, fetched from the server and kept for a short time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import click

CACHE_LIFETIME_S = 60.0
"""Long enough for one command line to be typed, short enough for a new action to turn up."""

TIMEOUT_S = 2.0
"""A shell that waits for completion longer feels broken."""


def references(manager: str, attribute: str = "ref") -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Completion of an argument by references of a kind of resource.

    Args:
        manager: key in `Client.managers`.
        attribute: what is typed on the command line.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in known_references(ctx, manager, attribute) if name.startswith(incomplete)]

    return complete


def known_references(ctx: click.Context, manager: str, attribute: str) -> list[str]:
    """All references of a kind: from the cache, else from the server; `[]` when it cannot be asked."""
    import requests

    from st2client.session import Session

    try:
        client = Session(click_options(ctx)).client()
        key = f"{client.endpoints['api']} {manager} {attribute}"
        names = _cached(key)
        if names is None:
            resources = client.managers[manager].get_all(params={"limit": -1, "include_attributes": attribute}, timeout=TIMEOUT_S)
            names = sorted(str(getattr(item, attribute)) for item in resources if getattr(item, attribute, None))
            _store(key, names)
        return names
    except (requests.exceptions.RequestException, ValueError, OSError):
        return []  # anything printed now would land in the middle of the user's command line


def click_options(ctx: click.Context) -> Any:
    """Global options of the command line being completed."""
    from types import SimpleNamespace

    return SimpleNamespace(**ctx.find_root().params)


def _cache_path() -> str:
    from st2client.config_parser import get_config_directory

    return os.path.join(get_config_directory(), "completion-cache")


def _read_cache() -> dict[str, Any]:
    try:
        with open(_cache_path(), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return {}  # none yet, or half written: it is made anew
    return content if isinstance(content, dict) else {}


def _cached(key: str) -> list[str] | None:
    entry = _read_cache().get(key)
    if not entry or not 0 <= time.time() - entry["time"] < CACHE_LIFETIME_S:
        return None
    return entry["names"]


def _store(key: str, names: list[str]) -> None:
    from st2client.credentials import open_private

    now = time.time()
    entries = {name: entry for name, entry in _read_cache().items() if now - entry["time"] < CACHE_LIFETIME_S}
    entries[key] = {"time": now, "names": names}
    with open_private(_cache_path()) as file:
        json.dump(entries, file)
