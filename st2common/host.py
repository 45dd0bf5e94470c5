"""Run several services in one process: ``python -m st2common.host --name st2engines MODULE:CLASS ...`` (the embedded mode does).

The classes are named as text, because this room imports no service.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from st2common.service import configure, parser, run_with


def load(path: str) -> Any:
    """The object ``module:name``."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def main(argv: list[str] | None = None) -> int:
    """Parse the arguments and run until told to stop. Returns the exit code."""
    made = parser("st2common.host")
    made.add_argument("--name", default="st2engines", help="name of the process in logs")
    made.add_argument("services", nargs="+", metavar="MODULE:CLASS", help="services to run")
    arguments = made.parse_args(argv)
    config = configure(arguments, arguments.name)
    return run_with(arguments.name, config, [load(path) for path in arguments.services])


if __name__ == "__main__":
    sys.exit(main())
