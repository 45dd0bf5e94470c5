"""Read INI files and the environment into ``Config``."""

from __future__ import annotations

import configparser
import os
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from st2common.config.options import Config
from st2common.exceptions import ConfigError

_TRUE = {"1", "true", "yes", "on", "t", "y"}
_FALSE = {"0", "false", "no", "off", "f", "n"}
_RENAMED = {("timer", "enable"): ("timersengine", "enable"), ("timer", "local_timezone"): ("timersengine", "local_timezone"),
            ("database", "ssl"): ("database", "tls"), ("database", "ssl_ca_certs"): ("database", "tls_ca_file")}  # fmt: skip
_DEFAULT_FILE = "/etc/st2/st2.conf"


def load_config(config_files: Iterable[str] = (), config_dirs: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        config_files: INI files, later wins; none given: ``ST2_CONFIG_PATH`` or /etc/st2/st2.conf if it is there.
        config_dirs: directories whose ``*.conf`` files are read after those, sorted by name.
        environ: the environment (default: this process's).

    Raises:
        ConfigError: a named file is missing or broken, or a value has the wrong type.
    """
    environ = os.environ if environ is None else environ
    files = list(config_files) or _default_files(environ)
    for directory in config_dirs:
        files += sorted(str(path) for path in Path(directory).glob("*.conf"))
    config = Config(files=files)
    for path in files:
        _apply_file(config, path)
    _apply_environment(config, environ)
    return config


def _default_files(environ: Mapping[str, str]) -> list[str]:
    named = environ.get("ST2_CONFIG_PATH")
    if named:
        return [named]
    return [_DEFAULT_FILE] if os.path.exists(_DEFAULT_FILE) else []


def _apply_file(config: Config, path: str) -> None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, inline_comment_prefixes=None, default_section="\0")
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file, source=path)
    except OSError as error:
        raise ConfigError(f'cannot read configuration file "{path}": {error.strerror}') from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f'configuration file "{path}" is not valid: {error}') from error
    for section in parser.sections():
        for name, text in parser.items(section):
            _set(config, section.lower(), name, text or "", f"{path}, [{section}] {name}")


def _apply_environment(config: Config, environ: Mapping[str, str]) -> None:
    for key, text in environ.items():
        if key.startswith("ST2_") and "__" in key:
            section, _, name = key[len("ST2_") :].partition("__")
            _set(config, section.lower(), name.lower(), text, f"environment variable {key}")


def _set(config: Config, section: str, name: str, text: str, source: str) -> None:
    section, name = _RENAMED.get((section, name), (section, name))
    model = getattr(config, section, None)
    if model is None or not is_dataclass(model):
        return
    kinds = typing.get_type_hints(type(model))
    if name not in {item.name for item in fields(model)}:
        return
    try:
        setattr(model, name, _convert(text.strip(), kinds[name]))
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from error


def _convert(text: str, kind: Any) -> Any:
    if kind is bool:
        lowered = text.lower()
        if lowered in _TRUE:
            return True
        if lowered in _FALSE or lowered == "none" or not lowered:
            return False
        raise ValueError(f'"{text}" is not a boolean (true or false)')
    if kind in (int, float):
        if text.lower() in ("", "none"):
            return kind(0)
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f'"{text}" is not a number') from None
    if typing.get_origin(kind) is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return "" if text == "None" else text
