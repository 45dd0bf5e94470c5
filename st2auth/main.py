"""The command ``st2auth``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from st2auth.app import backends, create_app
from st2common.config import Config
from st2common.exceptions import ConfigError
from st2common.service import configure, parser
from st2common.web.server import Tls, WebService, serve

NAME = "st2auth"


def service(config: Config) -> WebService:
    """What to serve.

    Raises:
        ConfigError: a setting of the backends is wrong.
    """
    auth = config.auth
    if auth.mode not in ("standalone", "proxy"):
        raise ConfigError(f'[auth] mode is standalone or proxy, not "{auth.mode}"')
    backend, sso_backend = backends(config)
    tls = Tls(auth.cert, auth.key) if auth.use_ssl else None
    return WebService(
        NAME, "auth", auth.host, auth.port, lambda platform: create_app(platform, backend, sso_backend), threads=8, broker=False, tls=tls
    )


def run(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop. Returns the exit code."""
    config = configure(parser(NAME).parse_args(argv), NAME)
    try:
        return serve(service(config), config)
    except ConfigError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 1


def main() -> None:
    """Console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
