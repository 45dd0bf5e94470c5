"""Nearest names for a reference that does not exist."""

from __future__ import annotations

from typing import Any


def known_names(manager: Any) -> list[str]:
    """References (or names) of all resources of a kind; `[]` where the server does not say."""
    import requests

    try:
        resources = manager.get_all(params={"limit": -1, "include_attributes": "ref"})
    except requests.exceptions.HTTPError:
        try:
            resources = manager.get_all()
        except requests.exceptions.HTTPError:
            return []  # not allowed to list: no suggestions then, the real error is shown anyway
    return [name for name in (getattr(item, "ref", None) or getattr(item, "name", None) for item in resources) if name]


def did_you_mean(manager: Any, wrong: str) -> str:
    """` Did you mean "a" or "b"?`, or an empty text."""
    if len(wrong) == 24 and all(char in "0123456789abcdef" for char in wrong):
        return ""  # an id: nothing is near to it
    import difflib

    names = known_names(manager)
    near = difflib.get_close_matches(wrong, names, n=3, cutoff=0.7) or [name for name in names if name.split(".", 1)[-1] == wrong][:3]
    return f" Did you mean {' or '.join(near)}?" if near else ""
