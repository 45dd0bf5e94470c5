"""Sample configuration files, written from the option models: ``python -m st2common.config.sample [--write DIR]``."""

from __future__ import annotations

import argparse
import sys
import typing
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from st2common.config.options import Config

PRODUCTION: Mapping[tuple[str, str], str] = {
    ("auth", "backend_kwargs"): '{"file_path": "/etc/st2/htpasswd"}',
    ("auth", "api_url"): "https://st2.example.com/api",
    ("database", "host"): "mongodb://mongo-1.example.com,mongo-2.example.com,mongo-3.example.com/?replicaSet=rs0",
    ("database", "username"): "st2",
    ("database", "password"): "CHANGE_ME",
    ("keyvalue", "encryption_key_path"): "/etc/st2/keys/datastore_key.json",
    ("log", "format"): "json",
    ("messaging", "url"): "amqp://st2:CHANGE_ME@rabbitmq.example.com:5672//",
    ("system", "base_path"): "/opt/stackstorm",
    ("webui", "webui_base_url"): "https://st2.example.com",
}
"""What a production machine has to choose; everything else stays at its default."""

EMBEDDED: Mapping[tuple[str, str], str] = {
    ("system", "base_path"): "DATA",
    ("system", "validate_output_schema"): "True",
    ("database", "host"): "mongodb://127.0.0.1:PORT/?directConnection=true",
    ("database", "db_name"): "st2",
    ("database", "connection_retry_max_delay_m"): "0",
    ("messaging", "url"): "redis://:PASSWORD@127.0.0.1:PORT/0",
    ("auth", "enable"): "True",
    ("auth", "host"): "127.0.0.1",
    ("auth", "port"): "9100",
    ("auth", "backend"): "flat_file",
    ("auth", "backend_kwargs"): '{"file_path": "DATA/htpasswd"}',
    ("auth", "api_url"): "http://127.0.0.1:9101",
    ("api", "host"): "127.0.0.1",
    ("api", "port"): "9101",
    ("api", "auth_cookie_secure"): "False",
    ("stream", "host"): "127.0.0.1",
    ("stream", "port"): "9102",
    ("keyvalue", "encryption_key_path"): "DATA/keys/datastore_key.json",
    ("actionrunner", "exit_still_active_check"): "5",
    ("log", "audit_file"): "DATA/logs/audit.log",
    ("packs", "enable_common_libs"): "True",
}
"""What ``st2ctl up`` writes into ``DATA/st2.conf`` at every start."""

_PRODUCTION_HEAD = """\
Configuration of a production machine: copy to /etc/st2/st2.conf. Lines without # are what a production machine has to choose;
the others show the defaults. Any option can also be given as an environment variable: ST2_<SECTION>__<OPTION>, which wins.
"""

_EMBEDDED_HEAD = """\
Configuration of the embedded platform. st2ctl up writes DATA/st2.conf by itself at every start: the lines without # show what it
writes (with its own ports and passwords). Put options of your own into a file of their own and start with: st2ctl up --config FILE
"""

_KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}

_DEFAULTS_OF_THE_MACHINE = {("system_user", "user"): "the user that runs the service"}
"""Defaults that differ from machine to machine, in words."""


def sample(values: Mapping[tuple[str, str], str], head: str) -> str:
    """A whole sample file.

    Args:
        values: lines that are in force, by (section, option).
        head: comment at the top.
    """
    lines = [f"# {line}" for line in head.splitlines()]
    lines.append("# Written by: python -m st2common.config.sample --write conf")
    for section in fields(Config):
        model = getattr(Config(), section.name)
        if is_dataclass(model):
            lines += ["", f"[{section.name}]", *_section(section.name, type(model), values)]
    return "\n".join(lines) + "\n"


def _section(name: str, model: Any, values: Mapping[tuple[str, str], str]) -> list[str]:
    kinds = typing.get_type_hints(model)
    lines: list[str] = []
    for item in fields(model):
        default = _default(name, item, model)
        chosen = values.get((name, item.name))
        lines += [f"# {item.metadata['help']} ({_kind(kinds[item.name])}; default: {default or 'empty'})"]
        lines.append(f"{item.name} = {chosen}" if chosen is not None else f"# {item.name} = {default}".rstrip())
    return lines


def _kind(kind: Any) -> str:
    return "comma separated list" if typing.get_origin(kind) is list else _KINDS[kind]


def _default(section: str, item: Field[Any], model: Any) -> str:
    if (section, item.name) in _DEFAULTS_OF_THE_MACHINE:
        return _DEFAULTS_OF_THE_MACHINE[section, item.name]
    value = getattr(model(), item.name)
    return ",".join(value) if isinstance(value, list) else str(value)


def samples() -> dict[str, str]:
    """Text by file name."""
    return {"st2.conf.sample": sample(PRODUCTION, _PRODUCTION_HEAD), "st2.embedded.conf.sample": sample(EMBEDDED, _EMBEDDED_HEAD)}


def main(argv: list[str] | None = None) -> int:
    """Print the production sample, or write both into a directory."""
    parser = argparse.ArgumentParser(prog="python -m st2common.config.sample", description=__doc__)
    parser.add_argument("--write", metavar="DIR", type=Path, help="write every sample into this directory")
    directory = parser.parse_args(argv).write
    if directory is None:
        sys.stdout.write(samples()["st2.conf.sample"])
        return 0
    for name, text in samples().items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
