"""Processes of actions: reading their output while they run, time limits, cancellation, the end of whole sessions.

Every action process leads a session of its own (setsid). "The action is ended" means: everything in that session and everything
that descends from its leader gets SIGTERM and, after a grace period, SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

_CHUNK_BYTES = 65536
_LONGEST_LINE_BYTES = 256 * 1024
_SUDO_KILL_TIMEOUT_S = 10


class Output:
    """What a process writes to one of its outputs: kept for the result, told line by line to a listener.

    Memory is bounded: beyond ``limit_bytes`` the output is still told to the listener, but not kept.

    Args:
        emit: called with one or more whole lines; None where nobody listens.
        limit_bytes: how much is kept.
        hide: lines holding these bytes are kept but not told.
    """

    def __init__(self, emit: Callable[[str], None] | None, limit_bytes: int, hide: bytes | None = None) -> None:
        self._emit = emit
        self._limit = limit_bytes
        self._hide = hide
        self._kept = bytearray()
        self._dropped_bytes = 0
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Take a piece of output."""
        room = self._limit - len(self._kept)
        self._kept += data[:room]
        self._dropped_bytes += max(0, len(data) - room)
        if self._emit is not None:
            self._tell(data)

    def _tell(self, data: bytes) -> None:
        cut = data.rfind(b"\n") + 1
        if cut:
            self._send(bytes(self._line) + data[:cut])
            self._line.clear()
        self._line += data[cut:]
        if len(self._line) > _LONGEST_LINE_BYTES:
            self._send(bytes(self._line))
            self._line.clear()

    def _send(self, data: bytes) -> None:
        if self._hide is not None and self._hide in data:
            data = b"".join(line for line in data.splitlines(keepends=True) if self._hide not in line)
        if data and self._emit is not None:
            self._emit(data.decode("utf-8", "replace"))

    def flush(self) -> None:
        """Tell the last line although it has no newline."""
        if self._line:
            self._send(bytes(self._line))
            self._line.clear()

    def text(self) -> str:
        """Everything kept, as UTF-8 with replacement; says so at its end if something was left out."""
        text = self._kept.decode("utf-8", "replace")
        if self._dropped_bytes:
            text += f"\n[{self._dropped_bytes} more bytes of output are not part of the result]\n"
        return text


class OutputStream(Output):
    """The read end of an output pipe.

    Args:
        fd: the descriptor; owned and closed by this object.
        emit, limit_bytes, hide: see :class:`Output`.
    """

    awaited = True

    def __init__(self, fd: int, emit: Callable[[str], None] | None, limit_bytes: int, hide: bytes | None = None) -> None:
        super().__init__(emit, limit_bytes, hide)
        self.fd = fd
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Take what is there. Returns False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        self.feed(data)
        return bool(data)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)


class RawStream:
    """A pipe read whole into memory; its end is not waited for."""

    awaited = False

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.data = bytearray()
        os.set_blocking(fd, False)

    def read(self) -> bool:
        """Take what is there. Returns False at the end of the stream."""
        try:
            data = os.read(self.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return True
        self.data += data
        return bool(data)

    def drain(self) -> None:
        """Take everything that was written so far."""
        before = -1
        while before != len(self.data):
            before = len(self.data)
            if not self.read():
                return

    def close(self) -> None:
        os.close(self.fd)


class Wakeup:
    """Lets another thread interrupt a ``poll``; safe to set after it was closed."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._closed = False

    def set(self) -> None:
        with self._lock:
            if not self._closed:
                os.eventfd_write(self.fd, 1)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            os.close(self.fd)


class ChildProcess(ABC):
    """A process under supervision."""

    @property
    @abstractmethod
    def fd(self) -> int:
        """Readable when there is news; may change after news. -1 after the end."""

    @abstractmethod
    def news(self) -> bool:
        """Take the news. Returns True when the process has ended."""

    @abstractmethod
    def signal(self, signum: int) -> None:
        """Send a signal to the whole session."""


class LocalProcess(ChildProcess):
    """A child of this process, started as the leader of a session."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._pidfd = os.pidfd_open(process.pid)
        self._session = Session(process.pid)

    @property
    def fd(self) -> int:
        return self._pidfd

    def news(self) -> bool:
        self.process.wait()
        self.close()
        return True

    def signal(self, signum: int) -> None:
        self._session.signal(signum)

    def close(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


@dataclass
class Ending:
    """How supervision ended.

    Attributes:
        timed_out: the time limit was reached.
        cancelled: the job was cancelled while the process ran.
    """

    timed_out: bool = False
    cancelled: bool = False

    @property
    def forced(self) -> bool:
        return self.timed_out or self.cancelled


def supervise(child: ChildProcess, streams: list[OutputStream | RawStream], *, wakeup: Wakeup, timeout_s: float, grace_s: float) -> Ending:
    """Read ``streams`` until the child has ended and every awaited stream is closed, or the time limit or the wake-up forces the end.

    Background processes of the action that keep its output open count as the action (runners.md section 2), within the time limit.

    Args:
        wakeup: set by whoever cancels the job.
        timeout_s: seconds from now.
        grace_s: seconds between SIGTERM and SIGKILL, and between SIGKILL and giving up.
    """
    ending = Ending()
    loop = _Loop(child, streams, wakeup)
    forcing = iter((signal.SIGTERM, signal.SIGKILL))
    deadline = time.monotonic() + timeout_s
    while not loop.finished:
        is_cancelled = loop.wait(max(0.0, deadline - time.monotonic()))
        if is_cancelled and not ending.forced:
            ending.cancelled = True
            deadline = time.monotonic()
        if loop.finished or time.monotonic() < deadline:
            continue
        ending.timed_out = not ending.cancelled
        signum = next(forcing, None)
        if signum is None:
            break
        child.signal(signum)
        deadline = time.monotonic() + grace_s
    if ending.forced:
        child.signal(signal.SIGKILL)  # what ignored SIGTERM with its output closed
    return ending


class _Loop:
    """One ``poll`` object over the streams, the child and the wake-up."""

    def __init__(self, child: ChildProcess, streams: list[OutputStream | RawStream], wakeup: Wakeup) -> None:
        self._child = child
        self._poll = select.poll()
        self._open = {stream.fd: stream for stream in streams}
        self._wakeup = wakeup
        self._child_fd = child.fd
        self._ended = False
        for fd in (*self._open, wakeup.fd, self._child_fd):
            self._poll.register(fd, select.POLLIN)

    @property
    def finished(self) -> bool:
        return self._ended and not any(stream.awaited for stream in self._open.values())

    def wait(self, timeout_s: float) -> bool:
        """Handle what is ready, waiting at most ``timeout_s``. Returns whether the wake-up was set."""
        woken = False
        for fd, _ in self._poll.poll(timeout_s * 1000 + 1):
            if fd == self._wakeup.fd:
                self._poll.unregister(fd)
                woken = True
            elif fd == self._child_fd:
                self._take_news()
            elif fd in self._open and not self._open[fd].read():
                self._poll.unregister(fd)
                del self._open[fd]
        return woken

    def _take_news(self) -> None:
        self._poll.unregister(self._child_fd)
        self._ended = self._child.news()
        if not self._ended:
            self._child_fd = self._child.fd
            self._poll.register(self._child_fd, select.POLLIN)


@dataclass(frozen=True)
class _Entry:
    """A line of the process table; a process is told from a later one of the same id by its start time."""

    pid: int
    parent: int
    session: int
    start: int


def _process_table() -> list[_Entry]:
    """Every living process of the machine; zombies are left out."""
    table = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            if not entry.name.isdigit():
                continue
            try:
                with open(f"/proc/{entry.name}/stat", "rb") as file:
                    # the command name in parentheses may itself hold blanks and parentheses
                    fields = file.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != b"Z":
                table.append(_Entry(int(entry.name), int(fields[1]), int(fields[3]), int(fields[19])))
    return table


class Session:
    """The processes of a session and their descendants, wherever those went (sudo and the like open sessions of their own).

    Members are remembered between two looks: one whose parents were ended by the first signal is still found by the second.

    Args:
        leader: process id of the session's leader.
    """

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._known: set[tuple[int, int]] = set()

    def pids(self) -> list[int]:
        """Ids of the living members."""
        table = _process_table()
        members = {entry.pid for entry in table if entry.session == self._leader or (entry.pid, entry.start) in self._known}
        grown = True
        while grown:
            more = {entry.pid for entry in table if entry.parent in members and entry.pid not in members}
            members |= more
            grown = bool(more)
        self._known = {(entry.pid, entry.start) for entry in table if entry.pid in members}
        return sorted(members)

    def signal(self, signum: int) -> None:
        """Send ``signum`` to every member. Processes of other users are reached through sudo, where it allows."""
        refused = []
        for pid in self.pids():
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue
            except PermissionError:
                refused.append(str(pid))
        if refused:
            _signal_as_root(refused, signum)


def _signal_as_root(pids: list[str], signum: int) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired, FileNotFoundError):
        subprocess.run(
            ["sudo", "-n", "kill", f"-{int(signum)}", *pids],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SUDO_KILL_TIMEOUT_S,
        )
