"""The gunicorn process of an HTTP service: one master that holds the port, workers that load the application.

The port is open at once; requests are answered with 503 while database or broker are still away.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import gunicorn.app.base
import gunicorn.arbiter
import gunicorn.glogging

from st2common.config import Config
from st2common.exceptions import ConfigError, Unavailable
from st2common.log import getLogger, reopen_log_files
from st2common.platform import Platform
from st2common.service import Registration, Service, wait_for_servers

LOG = getLogger("st2common.web")


@dataclass(frozen=True)
class Tls:
    """TLS of the listening port: PEM files of certificate chain and key."""

    certificate: str
    key: str

    def check(self) -> None:
        """Load both once.

        Raises:
            ConfigError: a file is missing or does not fit.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS certificate {self.certificate} with key {self.key}: {error}") from error


@dataclass(frozen=True)
class WebService:
    """What to serve, and how.

    Attributes:
        name: process name (``st2auth``); group: its group in the service registry (``auth``).
        make_app: makes the WSGI or ASGI application in each worker process; connections are opened there, not before.
        worker_class: gunicorn's name of the worker, or a class.
        broker: whether the service needs the message broker.
        grace_s: so long requests in hand may take after SIGTERM; short enough for the whole platform to stop within 15 s.
    """

    name: str
    group: str
    host: str
    port: int
    make_app: Callable[[Platform], Any]
    workers: int = 1
    threads: int = 16
    worker_class: Any = "gthread"
    broker: bool = True
    tls: Tls | None = None
    grace_s: int = 8


def serve(web: WebService, config: Config) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code; a port in use is told in one clear line."""
    if web.tls is not None:
        web.tls.check()
    try:
        gunicorn.arbiter.Arbiter(_Application(web, config)).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


class _Log(gunicorn.glogging.Logger):
    """gunicorn's messages go where the service's log goes."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def reopen_files(self) -> None:
        """SIGUSR1, in the master and in each worker."""
        super().reopen_files()
        reopen_log_files()


class _Registered(Service):
    """The web service as the service registry sees it; gunicorn starts and stops it."""

    name: ClassVar[str] = ""
    group: ClassVar[str] = ""

    def start(self) -> None:
        """Nothing: the worker process is the service."""

    def stop(self) -> None:
        """Nothing, likewise."""


class _Application(gunicorn.app.base.BaseApplication):
    def __init__(self, web: WebService, config: Config) -> None:
        self._web = web
        self._config = config
        self._stopping = threading.Event()
        self._platform: Platform | None = None
        self._registration: Registration | None = None
        self.drain: Callable[[], None] | None = None
        super().__init__()

    def load_config(self) -> None:
        """gunicorn's settings."""
        web = self._web
        threads = web.threads if web.worker_class == "gthread" else 1
        settings = {
            "bind": f"[{web.host}]:{web.port}" if ":" in web.host else f"{web.host}:{web.port}", "proc_name": web.name,
            "workers": web.workers, "threads": threads, "worker_class": web.worker_class, "worker_connections": 20000,
            "keepalive": 65, "graceful_timeout": web.grace_s, "timeout": 120, "limit_request_line": 8190,
            "limit_request_field_size": 65536, "backlog": 2048,
            "logger_class": _Log, "control_socket_disable": True, "worker_exit": self._worker_exit, "asgi_disconnect_grace_period": 0,
            "post_worker_init": self._worker_ready,
        }  # fmt: skip
        if os.access("/dev/shm", os.W_OK):
            settings["worker_tmp_dir"] = "/dev/shm"  # the heartbeat file: never on a disk that may block
        if web.tls is not None:
            settings.update(certfile=web.tls.certificate, keyfile=web.tls.key)
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, in the worker process."""
        self._platform = Platform(self._config)
        app = self._web.make_app(self._platform)
        self.drain = getattr(app, "drain", None)
        return app

    def _worker_ready(self, worker: Any) -> None:
        threading.Thread(target=self._get_ready, name="readiness", daemon=True).start()

    def _get_ready(self) -> None:
        platform, web = self._platform, self._web
        if platform is None:
            return
        while not self._stopping.is_set():
            try:
                if not wait_for_servers(platform, self._stopping, broker=web.broker):
                    return
                break
            except Unavailable as error:
                LOG.error("%s: %s; requests are answered with 503 until they come back", web.name, error)
        if self._config.coordination.service_registry:
            kind = type(web.name, (_Registered,), {"name": web.name, "group": web.group})
            extra = {"name": web.name, "listen_host": web.host, "listen_port": web.port, "type": "active"}
            self._registration = Registration(platform, [kind(platform)], extra)
            self._registration.start()
        LOG.info("%s ready on %s:%d (pid %d)", web.name, web.host, web.port, os.getpid())

    def _worker_exit(self, server: Any, worker: Any) -> None:
        self._stopping.set()
        if self._registration is not None:
            self._registration.stop()
        if self._platform is not None:
            self._platform.close()
