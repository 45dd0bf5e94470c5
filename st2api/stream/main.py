"""The command ``st2stream``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from st2api.stream.app import StreamApp
from st2api.stream.worker import StreamWorker
from st2common.config import Config
from st2common.service import configure, parser
from st2common.web.server import WebService, serve

NAME = "st2stream"


def service(config: Config) -> WebService:
    """What to serve. The grace is short: at SIGTERM the worker ends the streams itself, and gunicorn counts idle connections as busy."""
    return WebService(NAME, "stream", config.stream.host, config.stream.port, StreamApp, worker_class=StreamWorker, grace_s=2)


def run(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    config = configure(parser(NAME).parse_args(argv), NAME)
    return serve(service(config), config)


def main() -> None:
    """Console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
