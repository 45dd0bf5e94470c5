"""The warm parent of Python actions: one single-threaded process per interpreter, which forks a child per action.

A request is one datagram ``R`` on the control socket with five descriptors: stdout, stderr, result and status pipes (write ends) and a
memory file with the request's JSON. On the status pipe go records: ``S`` and the process id, written by the child before it does
anything else; ``E`` and the wait status, written by the parent; ``F`` and an error number when there could be no fork. A status pipe
that closes without ``S`` means that the action never began. A datagram ``Q`` tells the parent to end when its last child has; the end
of the control socket means that the worker is gone, and its actions go with it.
"""

from __future__ import annotations

import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

import orjson

from st2actions.runners import python_wrapper
from st2actions.runners.processes import Session
from st2actions.runners.python_exit import leave_quickly, may_leave_quickly

RECORD = struct.Struct("<cq")
"""A record on the status pipe: kind and number."""
DESCRIPTORS = 5
FRESH_INTERPRETER_VARIABLES = ("PYTHON", "LD_", "DYLD_", "MALLOC_", "GLIBC_", "LC_", "LANG")
"""Variables that an interpreter reads at its start, by prefix: an action that sets one gets a fresh interpreter."""
_KILL_GRACE_S = 2.0


class Parent:
    """The parent's loop.

    Args:
        control: socket to the worker.
        idle_s: ends after so many seconds without work.
    """

    def __init__(self, control: socket.socket, idle_s: float) -> None:
        self._control = control
        self._idle_s = idle_s
        self._status_fds: dict[int, int] = {}
        self._retiring = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> tuple[int, int] | None:
        """Fork children until there is nothing left to do.

        Returns:
            None in the parent at its end; in a child the descriptors (request, result).
        """
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while self._status_fds or not self._retiring:
            ready = dict(poll.poll(None if self._status_fds else self._idle_s * 1000))
            if not ready and not self._status_fds:
                return None
            if self._wake_read in ready:
                self._reap()
            if self._control.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self._control, 16, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
                if not message:
                    self._end_children()
                    return None
                if message == b"Q":
                    self._retiring = True
                elif (child := self._fork(descriptors)) is not None:
                    return child
        return None

    def _fork(self, descriptors: list[int]) -> tuple[int, int] | None:
        stdout, stderr, result, status, request = descriptors
        try:
            pid = os.fork()
        except OSError as error:
            os.write(status, RECORD.pack(b"F", error.errno or 0))
            for fd in descriptors:
                os.close(fd)
            return None
        if pid:
            for fd in (stdout, stderr, result, request):
                os.close(fd)
            self._status_fds[pid] = status
            return None
        os.setsid()
        os.write(status, RECORD.pack(b"S", os.getpid()))
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        _close_all_but(request, result)
        self._control.detach()
        return request, result

    def _reap(self) -> None:
        while True:
            try:
                if not os.read(self._wake_read, 4096):
                    break
            except BlockingIOError:
                break
        while self._status_fds:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            fd = self._status_fds.pop(pid)
            try:
                os.write(fd, RECORD.pack(b"E", status))
            except BrokenPipeError:
                pass  # the worker no longer waits for this action
            finally:
                os.close(fd)

    def _end_children(self) -> None:
        sessions = [Session(pid) for pid in self._status_fds]
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for session in sessions:
                session.signal(signum)
            deadline = time.monotonic() + _KILL_GRACE_S
            while self._status_fds and time.monotonic() < deadline:
                time.sleep(0.02)
                self._reap()


def _close_all_but(first: int, second: int) -> None:
    """Close every descriptor above the standard ones but two: a child shares nothing with its siblings."""
    low, high = sorted((first, second))
    os.closerange(3, low)
    os.closerange(low + 1, high)
    os.closerange(high + 1, os.sysconf("SC_OPEN_MAX"))


def _read_request(fd: int) -> dict[str, Any]:
    # by position: the offset is shared with the worker, which left it at the end
    return orjson.loads(os.pread(fd, os.fstat(fd).st_size, 0))


def _become_action(request_fd: int, result_fd: int, preloaded: frozenset[str]) -> None:
    """In the child: turn into the action's process, and end."""
    request = _read_request(request_fd)
    environment = request["environment"]
    if request["fresh_interpreter"]:
        os.set_inheritable(request_fd, True)
        os.set_inheritable(result_fd, True)
        code = f"from st2actions.runners.python_wrapper import main; main({request_fd}, {result_fd})"
        os.execve(sys.executable, [sys.executable, "-u", "-c", code], environment)
    os.close(request_fd)
    python_wrapper.take_environment(environment)
    random = sys.modules.get("random")
    if random is not None:
        random.seed()
    importlib.invalidate_caches()
    try:
        python_wrapper.run_action(request, result_fd)
    except SystemExit as leaving:
        if not may_leave_quickly(preloaded):
            raise
        exit_code = leaving.code
    leave_quickly(exit_code, preloaded)


def main(control_fd: int, idle_s: float, own_path: list[str]) -> None:
    """Entry of the parent process.

    Args:
        control_fd: inherited descriptor of the control socket.
        idle_s: see :class:`Parent`.
        own_path: entries of ``PYTHONPATH`` that were given to the parent only; taken out of ``sys.path`` again.
    """
    os.set_inheritable(control_fd, False)
    sys.path[:] = [path for path in sys.path if path and path not in own_path]
    control = socket.socket(fileno=control_fd)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    preloaded = frozenset(sys.modules)
    gc.collect()
    gc.freeze()
    child = Parent(control, idle_s).serve()
    if child is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _become_action(*child, preloaded)
