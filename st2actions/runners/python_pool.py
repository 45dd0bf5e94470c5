"""The worker's side of Python actions: warm parents per interpreter, and single actions as supervised processes."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from st2actions.runners.processes import ChildProcess, Session
from st2actions.runners.python_parent import RECORD
from st2common.exceptions import RunnerFailed
from st2common.interpreters import inherited_python_path, platform_path
from st2common.log import getLogger

LOG = getLogger(__name__)

_ATTEMPTS = 3
_START_TIMEOUT_S = 60
_STDERR_SHOWN = 2000


class WarmParent:
    """A running parent process.

    Args:
        interpreter: path of the Python to run.
        idle_s: the process ends itself after so many seconds without work.
    """

    def __init__(self, interpreter: str, idle_s: float) -> None:
        self.interpreter = interpreter
        self.fingerprint = fingerprint(interpreter)
        self._stderr = tempfile.TemporaryFile()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        own_path = [*platform_path(), *inherited_python_path()]
        code = f"from st2actions.runners.python_parent import main; main({theirs.fileno()}, {idle_s!r}, {own_path!r})"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(own_path)}
        with theirs:
            self.process = subprocess.Popen(
                [interpreter, "-u", "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._control = ours

    def send(self, descriptors: list[int]) -> bool:
        """Ask for an action. Returns False if the parent is gone; True does not mean that it will get round to it."""
        try:
            socket.send_fds(self._control, [b"R"], descriptors)
        except OSError:
            return False
        return True

    def retire(self) -> None:
        """Let the running actions finish, then end; the control socket stays open until then, its end would end them."""
        try:
            self._control.send(b"Q")
        except OSError:
            LOG.debug("The Python parent %d is gone already", self.process.pid)

    def wait(self) -> int:
        """Wait for the end of the process and free what belongs to it. Returns the exit code."""
        code = self.process.wait()
        self._control.close()
        return code

    def end(self) -> None:
        """End the process and its actions."""
        try:
            self._control.shutdown(socket.SHUT_RDWR)
        except OSError:
            LOG.debug("The Python parent %d is gone already", self.process.pid)

    def complaint(self) -> str:
        """The end of what the process itself wrote to stderr."""
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(0, size - _STDERR_SHOWN)
        return os.pread(self._stderr.fileno(), _STDERR_SHOWN, start).decode("utf-8", "replace").strip()


def fingerprint(interpreter: str) -> tuple[object, ...]:
    """Changes when the interpreter or its installed packages change; a parent of another fingerprint is out of date."""
    home = Path(interpreter).parent.parent
    parts: list[object] = []
    for path in (Path(interpreter), home / "pyvenv.cfg", *sorted(home.glob("lib/python3*/site-packages"))):
        try:
            stat = path.stat()
            parts.append((str(path), stat.st_ino, stat.st_mtime_ns))
        except FileNotFoundError:
            parts.append((str(path), None))
    return tuple(parts)


class PythonPool:
    """Warm parents by interpreter, started on demand; thread-safe.

    Args:
        idle_s: parents without work end after so many seconds.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._parents: dict[str, WarmParent] = {}

    def start(self, interpreter: str, stdout: int, stderr: int, result: int, request: bytes) -> PythonProcess:
        """Start an action.

        Args:
            interpreter: path of the Python to run.
            stdout, stderr, result: write ends of pipes; the caller closes them.
            request: JSON for ``python_wrapper``.

        Raises:
            RunnerFailed: the interpreter does not start.
            OSError: no process could be forked.
        """
        file = os.memfd_create("request", os.MFD_CLOEXEC)
        try:
            os.write(file, request)
            for _ in range(_ATTEMPTS):
                parent, is_new = self._parent(interpreter)
                process = self._ask(parent, [stdout, stderr, result], file)
                if process is not None:
                    return process
                self._forget(parent)
                if is_new:
                    break
            code = parent.process.wait(timeout=10)
            raise RunnerFailed(f'The Python interpreter "{interpreter}" does not start (exit code {code}): {parent.complaint()}')
        finally:
            os.close(file)

    def _ask(self, parent: WarmParent, pipes: list[int], file: int) -> PythonProcess | None:
        """Send one request and wait until the action has begun; None if the parent ended before that."""
        status_read, status_write = os.pipe()
        try:
            sent = parent.send([*pipes, status_write, file])
        finally:
            os.close(status_write)
        begun = self._first_record(parent, status_read) if sent else b""
        if not begun:
            os.close(status_read)
            return None
        kind, number = RECORD.unpack(begun)
        if kind == b"F":
            os.close(status_read)
            raise OSError(number, f"Cannot start the action process: {os.strerror(number)}")
        return PythonProcess(number, status_read)

    @staticmethod
    def _first_record(parent: WarmParent, status_fd: int) -> bytes:
        """The first record on a status pipe, empty if the parent ended without one. A parent that hangs is killed, which ends it too."""
        poll = select.poll()
        poll.register(status_fd, select.POLLIN)
        if not poll.poll(_START_TIMEOUT_S * 1000):
            LOG.error("The Python parent %d has not started an action in %d seconds and is killed", parent.process.pid, _START_TIMEOUT_S)
            parent.process.kill()
        return os.read(status_fd, RECORD.size)

    def _parent(self, interpreter: str) -> tuple[WarmParent, bool]:
        with self._lock:
            parent = self._parents.get(interpreter)
            if parent is not None and parent.process.poll() is None:
                if parent.fingerprint == fingerprint(interpreter):
                    return parent, False
                parent.retire()
            parent = WarmParent(interpreter, self._idle_s)
            self._parents[interpreter] = parent
        threading.Thread(target=self._watch, args=(parent,), name=f"python-parent-{parent.process.pid}", daemon=True).start()
        return parent, True

    def _watch(self, parent: WarmParent) -> None:
        code = parent.wait()
        self._forget(parent)
        if code:
            LOG.warning("The Python parent %d (%s) ended with code %d: %s", parent.process.pid, parent.interpreter, code, parent.complaint())

    def _forget(self, parent: WarmParent) -> None:
        with self._lock:
            if self._parents.get(parent.interpreter) is parent:
                del self._parents[parent.interpreter]

    def pids(self) -> list[int]:
        """Process ids of the parents."""
        with self._lock:
            return [parent.process.pid for parent in self._parents.values()]

    def close(self) -> None:
        """End every parent and its actions."""
        with self._lock:
            parents = list(self._parents.values())
            self._parents.clear()
        for parent in parents:
            parent.end()


@dataclass(frozen=True)
class Ended:
    """Exit code as ``subprocess`` tells it (negative: signal); None where nobody could see it."""

    code: int | None


class PythonProcess(ChildProcess):
    """A forked action. Its parent reports the end; if the parent dies first, the end is still noticed, but not how.

    Args:
        pid: process id, leader of its session.
        status_fd: read end of the status pipe; owned.
    """

    def __init__(self, pid: int, status_fd: int) -> None:
        self.pid = pid
        self.ended: Ended | None = None
        self._fd = status_fd
        self._orphaned = False
        self._session = Session(pid)

    @property
    def fd(self) -> int:
        return self._fd

    def news(self) -> bool:
        if self._orphaned:
            self.ended = Ended(None)
            self.close()
            return True
        record = os.read(self._fd, RECORD.size)
        self.close()
        if record:
            self.ended = Ended(os.waitstatus_to_exitcode(RECORD.unpack(record)[1]))
            return True
        self._orphaned = True
        LOG.warning("The Python parent of process %d is gone", self.pid)
        try:
            self._fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            self.ended = Ended(None)
            return True
        return False

    def signal(self, signum: int) -> None:
        self._session.signal(signum)

    def close(self) -> None:
        """Free the descriptor; harmless when done before."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
