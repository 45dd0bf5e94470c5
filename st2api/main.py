"""The command ``st2api``: gunicorn with threads around the application."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import types
from collections.abc import Sequence
from typing import Any

from st2common.config import Config
from st2common.exceptions import Unavailable
from st2common.log import getLogger
from st2common.platform import Platform
from st2common.service import Registration, Service, configure, parser, wait_for_servers

NAME = "st2api"
LOG = getLogger("st2api")
_GRACE_S = 10
_KEEPALIVE_S = 75
_STUCK_S = 120


class ApiService(Service):
    """The API's entry in the service registry. gunicorn starts and stops the work itself."""

    name = NAME
    group = "api"

    def start(self) -> None:
        """Nothing: gunicorn's worker serves."""

    def stop(self) -> None:
        """Nothing: gunicorn's worker finishes what is in hand."""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = configure(parser(NAME).parse_args(argv), NAME)
    if not _wait(config):
        return
    _serve(config)


def _wait(config: Config) -> bool:
    """Wait until database and broker answer, without anything that a fork must not inherit. False when told to stop."""
    stopping = threading.Event()

    def on_signal(number: int, frame: types.FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    platform = Platform(config)
    try:
        return wait_for_servers(platform, stopping)
    except Unavailable as error:
        sys.exit(f"{NAME}: {error}")
    finally:
        platform.close()


def _serve(config: Config) -> None:
    from gunicorn.app.base import BaseApplication
    from gunicorn.glogging import Logger

    class Log(Logger):  # type: ignore[misc]
        """gunicorn's messages go where all others go."""

        def setup(self, cfg: Any) -> None:
            self.loglevel = logging.INFO
            self.error_log.setLevel(logging.WARNING)
            self.error_log.propagate = True
            self.access_log.disabled = True

    class Server(BaseApplication):  # type: ignore[misc]
        """Each worker process makes its own platform, after the fork."""

        def load_config(self) -> None:
            for name, value in options(config).items():
                self.cfg.set(name, value)
            self.cfg.set("logger_class", Log)
            self.cfg.set("post_worker_init", registered)
            self.cfg.set("worker_exit", stopped)

        def load(self) -> Any:
            from st2api.app import create_app

            self.platform = Platform(config)
            return create_app(self.platform)

    registrations: list[Registration] = []

    def registered(worker: Any) -> None:
        platform = worker.app.platform
        if config.coordination.service_registry:
            extra = {"name": "api", "listen_host": config.api.host, "listen_port": config.api.port, "type": "active"}
            registration = Registration(platform, [ApiService(platform)], extra)
            registration.start()
            registrations.append(registration)
        LOG.info("%s ready on http://%s:%d (pid %d)", NAME, config.api.host, config.api.port, worker.pid)

    def stopped(server: Any, worker: Any) -> None:
        for registration in registrations:
            registration.stop()
        platform = getattr(worker.app, "platform", None)
        if platform is not None:
            platform.close()

    Server().run()


def options(config: Config) -> dict[str, Any]:
    """gunicorn's settings."""
    return {
        "bind": f"{config.api.host}:{config.api.port}",
        "workers": config.api.workers,
        "threads": config.api.threads,
        "worker_class": "gthread",
        "proc_name": NAME,
        "graceful_timeout": _GRACE_S,
        "timeout": _STUCK_S,
        "keepalive": _KEEPALIVE_S,
        "limit_request_line": 8190,
        "limit_request_field_size": 65536,
        "forwarded_allow_ips": "127.0.0.1",
    }


if __name__ == "__main__":
    main()
