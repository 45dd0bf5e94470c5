"""The configuration file `~/.st2/config` (cli.md 6)."""

from __future__ import annotations

import os
import stat
import sys
from typing import Any

__all__ = ["CLIConfigParser", "ST2_CONFIG_DIRECTORY_MODE", "ST2_CONFIG_FILE_MODE", "get_config_file_path"]

ST2_CONFIG_DIRECTORY_MODE = 0o2770
ST2_CONFIG_FILE_MODE = 0o660

OPTIONS: dict[str, dict[str, tuple[type, Any]]] = {
    "general": {
        "base_url": (str, None),
        "api_version": (str, None),
        "cacert": (str, None),
        "silence_ssl_warnings": (bool, False),
        "silence_schema_output": (bool, True),
    },
    "cli": {"debug": (bool, False), "cache_token": (bool, True), "timezone": (str, "UTC")},
    "credentials": {"username": (str, None), "password": (str, None), "api_key": (str, None), "basic_auth": (str, None)},
    "api": {"url": (str, None)},
    "auth": {"url": (str, None)},
    "stream": {"url": (str, None)},
}
"""Options by section: type and default."""


def get_config_directory() -> str:
    """Folder of the configuration file and the cached tokens."""
    return os.path.join(os.path.expanduser("~"), ".st2")


def get_config_file_path(explicit: str | None = None) -> str:
    """Configuration file in use: the one named on the command line, `ST2_CONFIG_FILE`, or the default place.

    Raises:
        ValueError: one was named, and there is no such file.
    """
    named = explicit or os.environ.get("ST2_CONFIG_FILE")
    if not named:
        return os.path.join(get_config_directory(), "config")
    path = os.path.abspath(os.path.expanduser(named))
    if not os.path.isfile(path):
        raise ValueError(f'Config "{path}" not found')
    return path


class CLIConfigParser:
    """Reads the configuration file.

    Args:
        config_file_path: the file; need not exist.
        validate_config_permissions: warn on stderr of files others may read.
    """

    def __init__(self, config_file_path: str, validate_config_permissions: bool = True) -> None:
        self.config_file_path = config_file_path
        self._warn = validate_config_permissions

    def parse(self) -> dict[str, dict[str, Any]]:
        """Values by section and option, defaults included. Raises `ValueError` when the file or a boolean in it cannot be read."""
        values = {section: {name: default for name, (_, default) in options.items()} for section, options in OPTIONS.items()}
        if not os.path.isfile(self.config_file_path):
            return values
        if self._warn:
            _warn_of_open_permissions(self.config_file_path)
        import configparser

        parser = configparser.RawConfigParser()
        try:
            parser.read(self.config_file_path, encoding="utf-8")
            for section, options in OPTIONS.items():
                for name, (kind, _) in options.items():
                    if parser.has_option(section, name):
                        get = parser.getboolean if kind is bool else parser.get
                        values[section][name] = get(section, name)
        except (configparser.Error, ValueError) as error:
            raise ValueError(f"Configuration file {self.config_file_path} cannot be read: {error}") from error
        return values


def _warn_of_open_permissions(path: str) -> None:
    """Upstream only warns; a secret in such a file is the user's to protect."""
    for place, kind in ((os.path.dirname(path), "directory"), (path, "file")):
        try:
            mode = os.stat(place).st_mode
        except OSError:
            continue  # cannot be looked at: reading it will say why
        if mode & stat.S_IROTH:
            print(
                f"WARNING: The configuration {kind} {place} is readable by others ({stat.S_IMODE(mode):o}); "
                f"'chmod o-rwx {place}' protects what is in it.",
                file=sys.stderr,
            )


def format_config(values: dict[str, dict[str, Any]]) -> str:
    """All sections and values, as `--print-config` shows them."""
    blocks = []
    for section, options in values.items():
        blocks.append("\n".join([f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]))
    return "\n\n".join(blocks)


def save_credentials(path: str, username: str, password: str | None) -> None:
    """Remember who logged in; without `password` one that is in the file is removed. The file is rewritten (comments are lost)."""
    import configparser

    from st2client.credentials import open_private

    parser = configparser.RawConfigParser()
    parser.read(path, encoding="utf-8")
    if not parser.has_section("credentials"):
        parser.add_section("credentials")
    parser.set("credentials", "username", username)
    if password is not None:
        parser.set("credentials", "password", password)
    else:
        parser.remove_option("credentials", "password")
    with open_private(path) as file:
        parser.write(file)
