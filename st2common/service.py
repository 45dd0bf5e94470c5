"""The frame that every process runs in: settings, logging, signals, connections, readiness, graceful stop.

A service is a small class with ``start`` and ``stop``; one process may host several (the embedded mode does). Database and broker
may be away at start or vanish for minutes: the process waits, says so, and goes on.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pymongo.errors import PyMongoError

from st2common import __version__
from st2common.config import Config, load_config
from st2common.exceptions import ConfigError, St2Error, Unavailable
from st2common.log import getLogger, reopen_log_files, setup_logging
from st2common.platform import Platform

LOG = getLogger("st2common.service")
REGISTRY_KIND = "service"
_REGISTRY_S = 30.0
_STOP_S = 10.0


class Service(ABC):
    """One service of the platform.

    Class attributes:
        name: the process name (``st2scheduler``).
        group: its group in the service registry (``scheduler``).
    """

    name: ClassVar[str]
    group: ClassVar[str]

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    @abstractmethod
    def start(self) -> None:
        """Begin to work in threads of its own; return soon."""

    @abstractmethod
    def stop(self) -> None:
        """Take no more work, finish what is in hand, return."""


def parser(name: str) -> argparse.ArgumentParser:
    """The flags that every service takes (operations.md section 2)."""
    made = argparse.ArgumentParser(prog=name)
    made.add_argument("--config-file", action="append", default=[], metavar="PATH", help="INI file; repeatable, later wins")
    made.add_argument("--config-dir", action="append", default=[], metavar="DIR", help="directory of *.conf files")
    made.add_argument("--debug", action="store_true", help="log more")
    made.add_argument("--version", action="version", version=f"{name} {__version__}")
    return made


def configure(arguments: argparse.Namespace, name: str) -> Config:
    """Read the configuration and set up logging; a wrong configuration ends the process with one clear line."""
    try:
        config = load_config(arguments.config_file, arguments.config_dir)
    except ConfigError as error:
        sys.exit(f"{name}: {error}")
    setup_logging(config.log, debug=arguments.debug or config.system.debug)
    return config


def wait_for_servers(platform: Platform, stopping: threading.Event, *, broker: bool = True) -> bool:
    """Wait until database and broker answer. False when told to stop meanwhile.

    Raises:
        Unavailable: the database stayed away for ``connection_retry_max_delay_m`` minutes.
    """
    options = platform.config.database
    deadline = time.monotonic() + options.connection_retry_max_delay_m * 60 if options.connection_retry_max_delay_m else None
    pause = float(options.connection_retry_backoff_mul)
    while not stopping.is_set():
        try:
            platform.store.ping()
            platform.store.ensure_indexes()
            if broker:
                platform.bus.ping()
                platform.bus.declare()
            return True
        except (PyMongoError, Unavailable) as error:
            waited_too_long = deadline is not None and time.monotonic() > deadline
            if waited_too_long:
                raise Unavailable(f"gave up waiting for the servers: {str(error)[:200]}") from error
            LOG.warning("waiting for the servers: %s", str(error).split(", Timeout:")[0][:200])
            stopping.wait(pause)
            pause = min(pause * 1.5, float(options.connection_retry_backoff_max_s))
    return False


class Registration:
    """Keeps a service's entry in the registry while it lives."""

    def __init__(self, platform: Platform, services: Sequence[Service], extra: dict[str, Any] | None = None) -> None:
        self._platform = platform
        self._services = services
        self._extra = extra or {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    def start(self) -> None:
        """Register, and renew from now on."""
        self._renew()
        self._thread.start()

    def stop(self) -> None:
        """Take the entries back."""
        self._stop.set()
        for service in self._services:
            try:
                self._platform.store.leases.release(self._name(service), _member())
            except PyMongoError as error:
                LOG.debug("registry entry left to expire: %s", error)

    def _run(self) -> None:
        while not self._stop.wait(_REGISTRY_S / 3):
            self._renew()

    def _renew(self) -> None:
        for service in self._services:
            info = {"hostname": socket.gethostname(), "pid": os.getpid(), "group": service.group, **self._extra}
            try:
                self._platform.store.leases.take(self._name(service), _member(), _REGISTRY_S, kind=REGISTRY_KIND, info=info)
            except PyMongoError as error:
                LOG.warning("registry entry not renewed: %s", str(error)[:200])

    @staticmethod
    def _name(service: Service) -> str:
        return f"{REGISTRY_KIND}:{service.group}:{_member()}"


def _member() -> str:
    return f"{socket.gethostname()}_{os.getpid()}"


def run(name: str, factories: Sequence[Callable[[Platform], Service]], argv: Sequence[str] | None = None) -> int:
    """Run services in this process until SIGTERM or SIGINT. Returns the exit code."""
    config = configure(parser(name).parse_args(argv), name)
    return run_with(name, config, factories)


def run_with(name: str, config: Config, factories: Sequence[Callable[[Platform], Service]]) -> int:
    """The same, with the configuration in hand."""
    stopping = threading.Event()

    def on_signal(number: int, frame: types.FrameType | None) -> None:
        LOG.info("%s: %s received, stopping", name, signal.Signals(number).name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGUSR1, lambda number, frame: reopen_log_files())
    platform = Platform(config)
    started: list[Service] = []
    registration = None
    try:
        if not wait_for_servers(platform, stopping):
            return 0
        for factory in factories:
            service = factory(platform)
            service.start()
            started.append(service)
        if config.coordination.service_registry:
            registration = Registration(platform, started)
            registration.start()
        LOG.info("%s ready (pid %d)", name, os.getpid())
        while not stopping.wait(3600):
            pass
        return 0
    except St2Error as error:
        LOG.error("%s: %s", name, error)
        return 1
    finally:
        if registration is not None:
            registration.stop()
        _stop_all(started)
        platform.close()
        LOG.info("%s stopped", name)


def _stop_all(services: Sequence[Service]) -> None:
    """Stop services side by side: each may have to wait for what it has in hand."""
    threads = [threading.Thread(target=service.stop, name=f"stop-{service.name}") for service in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def daemon(name: str, *factories: Callable[[Platform], Service]) -> Callable[[], None]:
    """A console script that runs one service."""

    def main() -> None:
        sys.exit(run(name, factories))

    return main
