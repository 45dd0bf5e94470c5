"""Options that the tools share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

from st2common.config import Config, load_config
from st2common.exceptions import ConfigError
from st2common.log import setup_logging

F = TypeVar("F", bound=Callable[..., Any])


def configuration(command: F) -> F:
    """Add ``--config-file``, ``--config-dir`` and ``--verbose``, given to the command as ``config_file``, ``config_dir``, ``verbose``."""
    for decorate in (
        click.option("-v", "--verbose", is_flag=True, help="Say more."),
        click.option("--config-dir", multiple=True, metavar="DIR", help="Directory of configuration files, read after the others."),
        click.option("--config-file", multiple=True, metavar="FILE", help="Configuration file; may be repeated, the later one wins."),
    ):
        command = decorate(command)
    return command


def load(config_file: tuple[str, ...], config_dir: tuple[str, ...], verbose: bool) -> Config:
    """The configuration; logging is set up. Ends the program with a message when it is wrong."""
    try:
        config = load_config(config_file, config_dir)
    except ConfigError as error:
        fail(error.message, 2)
    setup_logging(config.log, debug=verbose)
    return config


def fail(message: str, code: int = 1) -> NoReturn:
    """End the program with a message on standard error."""
    click.echo(f"ERROR: {message}", err=True)
    sys.exit(code)
