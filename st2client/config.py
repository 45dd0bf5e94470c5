"""The configuration in force in this process, for code that formats output."""

from __future__ import annotations

from typing import Any

_config: dict[str, Any] = {}


def set_config(config: dict[str, Any]) -> None:
    """Make these values the ones in force."""
    global _config
    _config = config


def get_config() -> dict[str, Any]:
    """Values by section; empty before a configuration was read."""
    return _config
