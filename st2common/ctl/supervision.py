"""The process manager of the embedded mode: supervisor's configuration, and talking to it over its Unix socket."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from st2common.ctl.layout import Layout, write_private

SERVERS, SERVICES = "servers", "st2"
"""Groups: servers start first and stop last; a group is stopped all at once."""


@dataclass
class Program:
    """One process to keep alive.

    Attributes:
        stop_s: how long it may take to stop before it is killed.
        hosts: the services inside, for the status.
    """

    name: str
    command: Sequence[str]
    group: str = SERVICES
    stop_s: int = 8
    hosts: Sequence[str] = field(default_factory=list)


def write_configuration(layout: Layout, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
    """Write supervisord.conf."""
    run, logs = layout.root / "run", layout.root / "logs"
    lines = [
        "[supervisord]", f"logfile={logs / 'supervisord.log'}", f"pidfile={run / 'supervisord.pid'}", "nodaemon=true", "loglevel=info",
        "logfile_maxbytes=5MB", "minfds=4096", f"directory={layout.root}", f"childlogdir={logs}", "",
        "[unix_http_server]", f"file={layout.supervisor_socket}", "chmod=0700", "",
        "[rpcinterface:supervisor]", "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface", "",
    ]  # fmt: skip
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in environment.items())
    for program in programs:
        lines += [
            f"[program:{program.name}]", f"command={_escaped(shlex.join(program.command))}", "autostart=false", "autorestart=true",
            "startsecs=1", "startretries=1000000", f"stopwaitsecs={program.stop_s}", "stopasgroup=false", "killasgroup=true",
            "redirect_stderr=true", f"stdout_logfile={logs / (program.name + '.log')}", "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=3", f"environment={pairs}", "",
        ]  # fmt: skip
    for priority, group in ((1, SERVERS), (10, SERVICES)):
        names = [program.name for program in programs if program.group == group]
        if names:
            lines += [f"[group:{group}]", f"programs={','.join(names)}", f"priority={priority}", ""]
    write_private(layout.supervisor_conf, "\n".join(lines))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


class Supervisor:
    """A running supervisord."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @property
    def _proxy(self) -> Any:
        """A fresh one for each call: its connection does not recover when a call failed half-way."""
        return ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{self._layout.supervisor_socket}"))

    @classmethod
    def launch(cls, layout: Layout, lock: int) -> tuple[Supervisor, subprocess.Popen[bytes]]:
        """Start supervisord in a session of its own (a Ctrl-C reaches only us); it inherits the lock of the data folder."""
        layout.supervisor_socket.unlink(missing_ok=True)
        log = open(layout.root / "logs" / "supervisord.out", "ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(layout.supervisor_conf)], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True, pass_fds=(lock,), cwd=layout.root,
        )  # fmt: skip
        log.close()
        made = cls(layout)
        deadline = time.monotonic() + 15
        while not made.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the process manager did not start; see {layout.root / 'logs'}")
            time.sleep(0.05)
        return made, process

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._proxy.supervisor.getState())
        except (OSError, Fault):
            return False

    def start(self, group: str) -> None:
        """Start every program of a group; does not wait for them."""
        self._proxy.supervisor.startProcessGroup(group, False)

    def stop_group(self, group: str) -> None:
        """Stop every program of a group and wait until they have ended."""
        self._proxy.supervisor.stopProcessGroup(group)

    def signal(self, name: str, signal: str) -> None:
        """Send a signal (``USR1``) to one program."""
        self._proxy.supervisor.signalProcess(self._full_name(name), signal)

    def restart(self, name: str) -> None:
        """Stop and start one program."""
        self.stop_program(name)
        self.start_program(name)

    def stop_program(self, name: str) -> None:
        """Stop one program and wait until it has ended."""
        self._proxy.supervisor.stopProcess(self._full_name(name))

    def start_program(self, name: str) -> None:
        """Start one program and wait until it runs."""
        self._proxy.supervisor.startProcess(self._full_name(name))

    def _full_name(self, name: str) -> str:
        return next(row["group"] + ":" + row["name"] for row in self.processes() if row["name"] == name)

    def processes(self) -> list[dict[str, Any]]:
        """Supervisor's rows: name, group, statename, pid, spawnerr, exitstatus."""
        return list(self._proxy.supervisor.getAllProcessInfo())

    def shutdown(self) -> None:
        """Stop everything and end; returns at once."""
        self._proxy.supervisor.shutdown()

    def pid(self) -> int:
        """Its process id."""
        return int(self._proxy.supervisor.getPID())


def wait_gone(pid: int, seconds: float) -> bool:
    """Whether the process ends in that time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log file."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
