"""What is left when the process manager itself is killed: its children become ours (Linux), are reaped, and can be ended."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_TERM_S = 10.0


def adopt() -> bool:
    """Become the parent of every descendant whose own parent dies. False where the system cannot do that."""
    if sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def reap(except_pid: int) -> None:
    """Take the exit codes of adopted children that ended; ``except_pid`` is waited for by somebody else."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == except_pid:
            return
        os.waitpid(ended.si_pid, 0)


def end_all(is_server: Callable[[list[str]], bool]) -> None:
    """End every descendant: services first, then the servers that they need (told by their command line), each asked before it is killed."""
    ours = psutil.Process()
    for servers in (False, True):
        found = [child for child in ours.children() if _is(child, is_server) == servers]
        for child in found:
            _tell(child.terminate)
        psutil.wait_procs(found, timeout=_TERM_S)
    for child in ours.children(recursive=True):
        _tell(child.kill)
    psutil.wait_procs(ours.children(), timeout=5)


def _is(process: psutil.Process, is_server: Callable[[list[str]], bool]) -> bool:
    try:
        return is_server(process.cmdline())
    except psutil.Error:
        return False


def _tell(act: Callable[[], Any]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return
