"""Servers and platforms for tests, benchmarks and the demo: started on free loopback ports, stopped by pid."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from st2common.ctl import servers


def wait_until(probe: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of ``probe`` (exceptions count as not yet)."""
    deadline = time.monotonic() + seconds
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            value = probe()
            if value:
                return value
        except Exception as problem:  # noqa: BLE001 - anything means: not yet
            error = problem
        time.sleep(0.05)
    raise TimeoutError(f"{what} after {seconds} s ({error})")


def port_answers(port: int) -> bool:
    """Whether somebody listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes], seconds: float = 15) -> int:
    """Terminate, then kill. Returns the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    return process.returncode


@contextlib.contextmanager
def start_database(directory: Path, port: int | None = None) -> Iterator[str]:
    """A SecantusDB below ``directory``; gives its URL."""
    port = port or servers.free_port()
    with open(directory / "out.log", "wb") as log:
        process = subprocess.Popen(servers.database_command(directory / "data", port), stdout=log, stderr=log)
    try:
        wait_until(lambda: port_answers(port), 30, "the database answers")
        yield f"mongodb://127.0.0.1:{port}/?directConnection=true"
    finally:
        end(process)


class Valkey:
    """A Valkey below ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = servers.free_port()
        self._command, self.url = servers.broker_command(directory, self.port)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Valkey:
        self.start()
        return self

    def start(self) -> None:
        """Start it (again) and wait until it answers."""
        with open(self._directory / "out.log", "ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_until(lambda: port_answers(self.port), 20, "Valkey answers")

    def kill(self) -> None:
        """SIGKILL it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None:
            end(self.process)


def rabbitmq_binary() -> str | None:
    """The server's start script, None when it is not installed."""
    for path in ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server")):
        if path and os.path.exists(path):
            return path
    return None


class RabbitMq:
    """A RabbitMQ node of one's own below ``directory``, on free loopback ports."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port, self._distribution = servers.free_port(), servers.free_port()
        self._epmd = servers.free_port()
        self._node = f"test{self.port}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RabbitMq:
        self.start()
        return self

    def start(self) -> None:
        """Start the node (again) and wait until it answers."""
        base = self._directory
        (base / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.file = false\nlog.console = false\n")
        (base / "plugins").write_text("[].\n")
        environment = {
            **os.environ, "HOME": str(base), "RABBITMQ_NODENAME": self._node, "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution), "RABBITMQ_MNESIA_BASE": str(base / "mnesia"), "RABBITMQ_LOG_BASE": str(base / "log"),
            "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "plugins"),
            "ERL_EPMD_PORT": str(self._epmd), "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_PID_FILE": str(base / "pid"),
        }  # fmt: skip
        with open(base / "out.log", "ab") as log:
            self.process = subprocess.Popen([str(rabbitmq_binary())], env=environment, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: port_answers(self.port), 60, "RabbitMQ answers")

    def kill(self) -> None:
        """SIGKILL the node and what belongs to it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self._stop_epmd()

    def _stop_epmd(self) -> None:
        """The port mapper that the node started on a port of its own outlives it otherwise."""
        epmd = shutil.which("epmd")
        if epmd:
            subprocess.run([epmd, "-port", str(self._epmd), "-kill"], capture_output=True, check=False, timeout=10)


class RunningPlatform:
    """``st2ctl up`` on a data folder, as a user runs it."""

    def __init__(
        self, data_dir: Path, *, auth: bool = False, messaging_url: str | None = None, database_url: str | None = None,
        options: dict[str, dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        self.data_dir = data_dir
        self.auth = auth
        self._urls = {"--messaging-url": messaging_url, "--database-url": database_url}
        self._options = options or {}
        self.port_base = self._free_base()
        self.auth_url, self.api_url, self.stream_url = (f"http://127.0.0.1:{self.port_base + offset}" for offset in range(3))
        self.user, self.password = "st2admin", ""
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data_dir.parent / f"{data_dir.name}.up.log"

    @staticmethod
    def _free_base() -> int:
        while True:
            base = servers.free_port()
            if all(servers.port_is_free("127.0.0.1", base + offset) for offset in range(3)):
                return base

    @property
    def cli_environment(self) -> dict[str, str]:
        """Environment for the ``st2`` command."""
        return {"ST2_CONFIG_FILE": str(self.data_dir / "cli.conf")}

    def start(self) -> RunningPlatform:
        """Start and wait for the line ``ready``."""
        command = [sys.executable, "-m", "st2common.ctl.main", "up", "--data", str(self.data_dir), "--port-base", str(self.port_base)]
        command.append("--auth" if self.auth else "--no-auth")
        for flag, url in self._urls.items():
            if url:
                command += [flag, url]
        if self._options:
            path = self.data_dir.parent / f"{self.data_dir.name}.extra.conf"
            lines = []
            for section, values in self._options.items():
                lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
            path.write_text("\n".join(lines) + "\n")
            command += ["--config", str(path)]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self._has_ended() or self._is_ready(), 120, "the platform is ready")
        if self._has_ended():
            raise AssertionError(f"st2ctl up ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')}")
        if self.auth:
            for line in (self.data_dir / "cli.conf").read_text().splitlines():
                if line.startswith("password"):
                    self.password = line.partition("=")[2].strip()
        return self

    def _has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _is_ready(self) -> bool:
        return "\nready api=" in "\n" + self.log.read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit code."""
        return end(self.process, 25) if self.process is not None else 0

    def status(self) -> list[dict[str, Any]]:
        """``st2ctl status --json``."""
        command = [sys.executable, "-m", "st2common.ctl.main", "status", "--json", "--data", str(self.data_dir)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        return list(json.loads(done.stdout))

    def pids(self, service: str) -> list[int]:
        """Process ids of a service."""
        return [row["pid"] for row in self.status() if row["service"] == service and row["pid"]]

    def token(self) -> str:
        """A fresh access token."""
        answer = requests.post(f"{self.auth_url}/tokens", auth=(self.user, self.password), json={}, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def __enter__(self) -> RunningPlatform:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
