"""One sensor as a child process: its command line, its surroundings, its two pipes (reactor.md section 2.1)."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from st2common.interpreters import find_virtualenv, inherited_python_path, interpreter, platform_path, search_path
from st2common.log import getLogger
from st2reactor.sensor import wrapper

LOG = getLogger(__name__)

Message = dict[str, Any]

_LONGEST_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class SensorSpec:
    """A sensor to run.

    Attributes:
        ref: ``pack.Class``.
        pack: name of its pack.
        class_name: its class.
        file_path: absolute path of its Python file.
        pack_path: directory of the pack.
        trigger_types: refs of its trigger types.
        poll_interval: seconds between polls; None: the class's own.
    """

    ref: str
    pack: str
    class_name: str
    file_path: str
    pack_path: str
    trigger_types: tuple[str, ...] = ()
    poll_interval: float | None = None


@dataclass(frozen=True)
class SensorContainerSettings:
    """Options of the container; the times are those of reactor.md section 2.1.

    Attributes:
        api_url: public API URL including the version.
        virtualenvs_path: directory of the pack virtualenvs.
        enable_common_libs: whether ``<pack>/lib`` is importable.
        log_level: of the sensor processes.
        parent_args: the container's own arguments, shown to sensors.
        single_sensor_mode: run one sensor, do not restart it, end with it.
        check_interval_s: between two looks at the children and at the list of sensors.
        restart_delay_s: pause before the first restart; doubled for each further one in a row, up to ``longest_pause_s``.
        max_restarts: so many restarts in a row; None: no limit. A sensor that ran ``stable_after_s`` begins anew.
        stop_timeout_s: between SIGTERM and SIGKILL.
        token_refresh_s: sensors get a new token every so many seconds; 0: never.
    """

    api_url: str
    virtualenvs_path: str
    enable_common_libs: bool = False
    log_level: str = "INFO"
    parent_args: Sequence[str] = field(default_factory=tuple)
    single_sensor_mode: bool = False
    check_interval_s: float = 5
    restart_delay_s: float = 2.5
    longest_pause_s: float = 300
    max_restarts: int | None = None
    stable_after_s: float = 10
    stop_timeout_s: float = 5
    token_refresh_s: float = 0


def command_line(spec: SensorSpec, settings: SensorContainerSettings) -> list[str]:
    """Program and arguments of the sensor's process.

    Raises:
        NoVirtualenv: the pack needs a virtualenv and has none.
    """
    virtualenv = find_virtualenv(spec.pack, spec.pack_path, settings.virtualenvs_path)
    argv = [
        interpreter(virtualenv),
        "-u",
        wrapper.__file__,
        f"--pack={spec.pack}",
        f"--file-path={spec.file_path}",
        f"--class-name={spec.class_name}",
        f"--trigger-type-refs={','.join(spec.trigger_types)}",
        f"--parent-args={json.dumps(list(settings.parent_args))}",
    ]
    if spec.poll_interval is not None:
        argv.append(f"--poll-interval={spec.poll_interval:g}")
    return argv


def sensor_environment(spec: SensorSpec, settings: SensorContainerSettings, token: str) -> dict[str, str]:
    """Environment of the sensor's process: the container's, with the way to the platform and to the API."""
    virtualenv = find_virtualenv(spec.pack, spec.pack_path, settings.virtualenvs_path)
    libraries = [os.path.join(spec.pack_path, "lib")] if settings.enable_common_libs else []
    python_path = dict.fromkeys([*libraries, *inherited_python_path(), *platform_path()])
    return {
        **os.environ,
        "PATH": search_path(virtualenv),
        "PYTHONPATH": os.pathsep.join(python_path),
        "ST2_ACTION_API_URL": settings.api_url,
        "ST2_ACTION_AUTH_TOKEN": token,
    }


class SensorProcess:
    """A running sensor. Messages to it are queued, messages from it are handed on in a thread of its own.

    Args:
        spec: the sensor.
        settings: options of the container.
        token: service token for the sensor.
        receive: called with every message of the sensor, in one thread; while it blocks, so does the sensor.
        on_end: called (from that thread) when the sensor has ended.
    """

    def __init__(
        self, spec: SensorSpec, settings: SensorContainerSettings, token: str, receive: Callable[[Message], None], on_end: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.command = command_line(spec, settings)
        self._receive = receive
        self._on_end = on_end
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=sensor_environment(spec, settings, token),
            start_new_session=True,
        )
        for name, target in (("in", self._write), ("out", self._read)):
            threading.Thread(target=target, name=f"sensor-{spec.ref}-{name}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: Message) -> None:
        """Queue a message for the sensor; never blocks."""
        self._outbox.put(message)

    def poll(self) -> int | None:
        """Exit code, negative for signals; None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._outbox.put(None)
        return code

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end. Returns False if the time ran out first."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Ask the sensor to clean up and end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the sensor and what it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            LOG.debug("Nothing is left of sensor %s", self.spec.ref)

    def _write(self) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        try:
            while (message := self._outbox.get()) is not None:
                pipe.write(orjson.dumps(message, default=str) + b"\n")
                pipe.flush()
            pipe.close()
        except BrokenPipeError:
            LOG.debug("Sensor %s no longer listens", self.spec.ref)

    def _read(self) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        with pipe:
            while line := pipe.readline(_LONGEST_LINE_BYTES):
                try:
                    message = orjson.loads(line)
                except orjson.JSONDecodeError:
                    LOG.warning("Sensor %s said something unreadable (%d bytes)", self.spec.ref, len(line))
                    continue
                try:
                    self._receive(message)
                except Exception:
                    LOG.exception('The event of sensor %s for trigger "%s" is not dispatched', self.spec.ref, message.get("trigger"))
        self._process.wait()
        self._on_end()
