"""Masking of secrets in what is logged (content.md 9): by the names of attributes, in nested objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MASK = "********"

SECRET_ATTRIBUTES = frozenset({"password", "auth_token", "token", "secret", "credentials", "st2_auth_token"})
"""Attribute names that are masked always; ``[log] mask_secrets_blacklist`` adds to them."""


def secret_names(more: Iterable[str] = ()) -> frozenset[str]:
    """The names to mask, lower case: the fixed ones and those of ``[log] mask_secrets_blacklist``."""
    return SECRET_ATTRIBUTES | {name.strip().lower() for name in more if name.strip()}


def mask_attributes(value: Any, names: frozenset[str] = SECRET_ATTRIBUTES) -> Any:
    """The value with text and numbers masked that stand under a secret name, at any depth; nothing is changed in place.

    Args:
        value: what is about to be logged.
        names: lower-case attribute names, from ``secret_names``.
    """
    if isinstance(value, Mapping):
        return {key: MASK if _is_secret(key, item, names) else mask_attributes(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_attributes(item, names) for item in value]
    return value


def _is_secret(key: Any, value: Any, names: frozenset[str]) -> bool:
    return isinstance(key, str) and key.lower() in names and isinstance(value, str | bytes | int | float) and not isinstance(value, bool)
