"""The command ``st2api``: gunicorn with threads around the application."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from st2common.exceptions import St2Error
from st2common.platform import Platform
from st2common.service import configure, parser
from st2common.web.server import WebService, serve

NAME = "st2api"


def _make_app(platform: Platform) -> Any:
    from st2api.app import create_app  # in the worker process: the master needs none of it

    return create_app(platform)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = configure(parser(NAME).parse_args(argv), NAME)
    options = config.api
    web = WebService(NAME, "api", options.host, options.port, _make_app, workers=options.workers, threads=options.threads)
    try:
        sys.exit(serve(web, config))
    except St2Error as error:
        sys.exit(f"{NAME}: {error}")


if __name__ == "__main__":
    main()
