"""``st2ctl up``: database, broker and every service in the foreground, from one installed package."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from st2common.bus import CONTROL
from st2common.config import load_config
from st2common.ctl import orphans, servers
from st2common.ctl.layout import DataFolderInUse, Layout, write_private
from st2common.ctl.registration import register_content
from st2common.ctl.supervision import SERVERS, SERVICES, Program, Supervisor, tail, wait_gone, write_configuration
from st2common.exceptions import St2Error
from st2common.platform import Platform
from st2common.service import REGISTRY_KIND

_START_S = 90.0
_STOP_S = 14.0
_LONGEST_SOCKET = 94
"""Bytes of a Unix socket's path: 104 with the end mark on the strictest system, less what the process manager appends while it binds."""
_SHORT_LIFE_S = 10.0
"""A process manager that dies sooner than that is not started again."""

ENGINES = (
    "st2reactor.rules:RulesEngine", "st2actions.scheduler:Scheduler", "st2actions.notifier:Notifier", "st2actions.workflows:WorkflowEngine",
    "st2reactor.timers.service:TimersEngine", "st2reactor.garbage_collector:GarbageCollector", "st2reactor.sensor.node:SensorService",
)  # fmt: skip
"""Services that share one process here; each is a command of its own in production."""

_ENGINE_NAMES = ["st2rulesengine", "st2scheduler", "st2notifier", "st2workflowengine", "st2timersengine", "st2garbagecollector",
                 "st2sensorcontainer"]  # fmt: skip

_TELL_THE_REGISTRY = ("st2actionrunner", "st2engines")
"""Processes without an address; their services say in the registry that they are ready."""


class StartFailed(Exception):
    """The platform did not come up; the text says why and what to do."""


@dataclass
class Options:
    """What ``st2ctl up`` was asked for."""

    data: Path
    host: str = "127.0.0.1"
    port_base: int = 9100
    database_url: str | None = None
    messaging_url: str | None = None
    config_file: str | None = None
    auth: bool = True


class Embedded:
    """One run of the embedded platform."""

    def __init__(self, options: Options, say: Callable[[str], None] = print) -> None:
        self._options = options
        self._say = say
        self._layout = Layout(options.data.resolve())
        self._stop = threading.Event()
        self._messaging_url = ""

    @property
    def urls(self) -> dict[str, str]:
        """Base URLs by service."""
        host, base = self._options.host, self._options.port_base
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else host
        return {name: f"http://{shown}:{base + offset}" for offset, name in enumerate(("auth", "api", "stream"))}

    def run(self) -> int:
        """Start, say ``ready``, stay until told to stop. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            lock = self._layout.lock()
            self._check_ports()
            self._check_path()
            password = self._layout.prepare()
            programs = self._programs()
        except (DataFolderInUse, StartFailed, servers.MissingServer, OSError) as error:
            self._say(f"st2ctl: {error}")
            return 1
        environment = {"ST2_CONFIG_PATH": str(self._layout.conf), "PYTHONUNBUFFERED": "1"}
        self._write_configuration(password)
        write_configuration(self._layout, programs, environment)
        revivable = orphans.adopt()
        while True:
            began = time.monotonic()
            code = self._life(lock, programs, password)
            if code is not None:
                return code
            if not revivable or time.monotonic() - began < _SHORT_LIFE_S:
                self._say("st2ctl: the process manager died; so do we")
                orphans.end_all(lambda line: _is_server(line, programs))
                return 1
            self._say("st2ctl: the process manager died; everything is started again")
            orphans.end_all(lambda line: _is_server(line, programs))
            lock = self._layout.lock()

    def _life(self, lock: int, programs: list[Program], password: str | None) -> int | None:
        """From the start of the process manager to its end. Returns the exit code, None when it was killed."""
        try:
            supervisor, process = Supervisor.launch(self._layout, lock)
        except RuntimeError as error:
            self._say(f"st2ctl: {error}")
            return 1
        os.close(lock)
        try:
            self._bring_up(supervisor, programs)
        except (StartFailed, St2Error) as error:
            self._say(f"st2ctl: {error}")
            self._shut_down(supervisor, process)
            return 1
        if self._stop.is_set():
            self._shut_down(supervisor, process)
            return 0
        self._greet(password)
        while not self._stop.wait(1.0):
            orphans.reap(process.pid)
            if process.poll() is not None:
                return 0 if process.returncode == 0 else None
        self._shut_down(supervisor, process)
        return 0

    # -- before ------------------------------------------------------------------------------------------------------

    def _check_ports(self) -> None:
        for offset, name in enumerate(("auth", "API", "stream")):
            port = self._options.port_base + offset
            if not servers.port_is_free(self._options.host, port):
                raise StartFailed(f"port {port} ({name}) on {self._options.host} is in use; choose others with --port-base")

    def _check_path(self) -> None:
        longest = _LONGEST_SOCKET - len(str(self._layout.supervisor_socket.relative_to(self._layout.root))) - 1
        if len(os.fsencode(self._layout.root)) > longest:
            raise StartFailed(f'the path of the data folder "{self._layout.root}" is too long for a Unix socket in it (at most {longest} bytes)')

    def _programs(self) -> list[Program]:
        layout, programs = self._layout, []
        self._database_url = self._options.database_url
        if self._database_url is None:
            port = servers.free_port()
            programs.append(Program("db", servers.database_command(layout.root / "db", port), SERVERS, 5))
            # One server that stays what it is: nobody has to be told of changes of the topology four times a second.
            self._database_url = f"mongodb://127.0.0.1:{port}/?directConnection=true&serverMonitoringMode=poll"
        self._messaging_url = self._options.messaging_url or ""
        if not self._messaging_url:
            command, self._messaging_url = servers.broker_command(layout.root / "bus", servers.free_port())
            programs.append(Program("bus", command, SERVERS, 5))
        python, conf = sys.executable, ["--config-file", str(layout.conf)]
        if self._options.config_file:
            conf += ["--config-file", str(Path(self._options.config_file).resolve())]
        for name, module, seconds in (
            ("st2api", "st2api.main", 6), ("st2auth", "st2auth.main", 4), ("st2stream", "st2api.stream.main", 4),
            ("st2actionrunner", "st2actions.worker.main", 9),
        ):  # fmt: skip
            programs.append(Program(name, [python, "-m", module, *conf], stop_s=seconds, hosts=[name]))
        engines = [python, "-m", "st2common.host", "--name", "st2engines", *conf, *ENGINES]
        programs.append(Program("st2engines", engines, stop_s=8, hosts=_ENGINE_NAMES))
        return programs

    def _write_configuration(self, password: str | None) -> None:
        layout, options = self._layout, self._options
        db_name = "st2"
        backend = json.dumps({"file_path": str(layout.htpasswd)})
        sections: dict[str, dict[str, Any]] = {
            "system": {"base_path": layout.root, "validate_output_schema": True},
            "database": {"host": self._database_url, "db_name": db_name, "connection_retry_max_delay_m": 0},
            "messaging": {"url": self._messaging_url},
            "auth": {"enable": options.auth, "host": options.host, "port": options.port_base, "backend": "flat_file", "backend_kwargs": backend,
                     "api_url": self.urls["api"]},
            "api": {"host": options.host, "port": options.port_base + 1, "auth_cookie_secure": False},
            "stream": {"host": options.host, "port": options.port_base + 2},
            "keyvalue": {"encryption_key_path": layout.crypto_key},
            "actionrunner": {"exit_still_active_check": 5},
            "log": {"audit_file": layout.root / "logs" / "audit.log"},
            "packs": {"enable_common_libs": True},
        }  # fmt: skip
        lines = ["# Written by st2ctl at every start. Put your own options into a file of your own and name it with --config."]
        for section, values in sections.items():
            lines += ["", f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
        write_private(layout.conf, "\n".join(lines) + "\n")
        self._write_cli_configuration(password)

    def _write_cli_configuration(self, password: str | None) -> None:
        """Where the ``st2`` command finds this platform; the password is kept from the first start on."""
        if password is None and self._layout.cli_conf.exists():
            for line in self._layout.cli_conf.read_text().splitlines():
                name, _, value = line.partition("=")
                if name.strip() == "password":
                    password = value.strip()
        lines = ["[general]", "base_url = http://127.0.0.1", f"silence_ssl_warnings = True\n\n[auth]\nurl = {self.urls['auth']}",
                 f"\n[api]\nurl = {self.urls['api']}/v1", f"\n[stream]\nurl = {self.urls['stream']}/v1"]  # fmt: skip
        if password and self._options.auth:
            lines += ["\n[credentials]", "username = st2admin", f"password = {password}"]
        write_private(self._layout.cli_conf, "\n".join(lines) + "\n")

    # -- up ----------------------------------------------------------------------------------------------------------

    def _bring_up(self, supervisor: Supervisor, programs: list[Program]) -> None:
        if any(program.group == SERVERS for program in programs):
            supervisor.start(SERVERS)
        config = load_config([str(self._layout.conf), *([self._options.config_file] if self._options.config_file else [])], environ={})
        platform = Platform(config)
        try:
            self._wait("database", platform.store.ping, supervisor)
            self._wait("broker", platform.bus.ping, supervisor)
            platform.store.ensure_indexes()
            platform.bus.declare()
            supervisor.start(SERVICES)
            report = register_content(platform, fail_on_failure=False)
            for problem in report.problems:
                self._say(f"st2ctl: not registered: {problem}")
            platform.bus.announce(CONTROL, {"do": "content", "kinds": ["trigger", "sensor", "rule"]})
            for name, path in (("api", "/healthz"), ("auth", "/healthz"), ("stream", "/healthz")):
                self._wait(name, lambda name=name, path=path: _answers(self.urls[name] + path), supervisor)  # type: ignore[misc]
            for program in programs:
                self._wait(program.name, lambda program=program: _is_up(platform, supervisor, program), supervisor)  # type: ignore[misc]
        finally:
            platform.close()
        state = {"urls": self.urls, "pid": os.getpid(), "supervisor": supervisor.pid(), "hosts": {p.name: list(p.hosts) for p in programs}}
        write_private(self._layout.state, json.dumps(state))

    def _wait(self, what: str, probe: Callable[[], Any], supervisor: Supervisor) -> None:
        deadline = time.monotonic() + _START_S
        while not self._stop.is_set():
            try:
                probe()
                return
            except Exception as error:
                if time.monotonic() > deadline:
                    log = self._layout.root / "logs"
                    raise StartFailed(
                        f"{what} did not come up within {_START_S:.0f} s: {error}\n{self._last_words(supervisor, what)}see {log}"
                    ) from error
                time.sleep(0.05)

    def _last_words(self, supervisor: Supervisor, name: str) -> str:
        """The end of the log of ``name`` and of every process that does not run."""
        try:
            broken = [row for row in supervisor.processes() if row["statename"] != "RUNNING" or row["name"] == name]
        except OSError:
            return ""
        return "".join(f"--- {row['name']} ({row['statename']})\n{tail(self._layout.root / 'logs' / (row['name'] + '.log'))}\n" for row in broken)

    def _greet(self, password: str | None) -> None:
        if self._options.auth:
            if password is not None:
                self._say(f"First start: user st2admin, password {password} (kept in {self._layout.cli_conf}, users in {self._layout.htpasswd})")
            self._say(f"Use it:  export ST2_CONFIG_FILE={self._layout.cli_conf}   then:  st2 run core.echo message=hello")
        else:
            self._say("Authentication is off: anybody who reaches the ports may do anything. For development only.")
            self._say(f"Use it:  export ST2_CONFIG_FILE={self._layout.cli_conf}   then:  st2 run core.echo message=hello")
        urls = self.urls
        self._say(f"ready api={urls['api']} auth={urls['auth']} stream={urls['stream']} data={self._layout.root}")

    # -- down --------------------------------------------------------------------------------------------------------

    def _shut_down(self, supervisor: Supervisor, process: subprocess.Popen[bytes]) -> None:
        stop_supervisor(supervisor, process.pid, process)
        self._layout.state.unlink(missing_ok=True)


def stop_supervisor(supervisor: Supervisor, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
    """Stop everything within 15 s; what does not end by itself is killed."""
    import psutil

    family: list[Any] = []
    try:
        family = psutil.Process(pid).children(recursive=True)
        supervisor.shutdown()
    except (OSError, psutil.Error):
        pass
    if process is not None:
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    elif not wait_gone(pid, _STOP_S):
        os.kill(pid, signal.SIGKILL)
    for child in family:
        try:
            child.kill()
        except psutil.Error:
            continue


def _answers(url: str) -> None:
    response = requests.get(url, timeout=3)
    if response.status_code >= 500:
        raise ConnectionError(f"{url} answered {response.status_code}: {response.text[:200]}")


def _is_server(command_line: list[str], programs: list[Program]) -> bool:
    arguments = [list(program.command[1:]) for program in programs if program.group == SERVERS]
    return any(command_line[-len(given) :] == given for given in arguments)


def _is_up(platform: Platform, supervisor: Supervisor, program: Program) -> None:
    """The process runs, and everything that it hosts has said that it is ready; HTTP services are asked by their address."""
    row = next(row for row in supervisor.processes() if row["name"] == program.name)
    if row["statename"] != "RUNNING":
        raise ConnectionError(f"{program.name} is {row['statename']} {row.get('spawnerr') or ''}")
    if program.name in _TELL_THE_REGISTRY and platform.config.coordination.service_registry:
        ready = [entry for entry in platform.store.leases.holders(REGISTRY_KIND) if entry["info"].get("pid") == row["pid"]]
        if len(ready) < len(program.hosts):
            raise ConnectionError(f"{program.name} (pid {row['pid']}) runs, but does not say that it is ready")
