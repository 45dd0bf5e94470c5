"""The CLI: CPU and wall time of single commands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.report import Table
from tests.benchmarks.setting import Setting


def _command() -> list[str]:
    beside = Path(sys.executable).with_name("st2")
    return [str(beside)] if beside.exists() else [sys.executable, "-c", "from st2client.shell import main; main()"]


def measure(arguments: Sequence[str], environment: dict[str, str], repeat: int) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of a command, the best of some runs."""
    cpu, wall = [], []
    for _ in range(repeat):
        began = time.perf_counter()
        process = subprocess.Popen([*_command(), *arguments], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        problem = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall.append(time.perf_counter() - began)
        cpu.append(used.ru_utime + used.ru_stime)
        if process.returncode:
            raise RuntimeError(f"st2 {' '.join(arguments)} ended with {process.returncode}: {problem.decode()[:500]}")
    return min(cpu), min(wall)


def command_line(setting: Setting, repeat: int) -> Table:
    """The table."""
    table = Table("Command line (best of several)", ["command", "CPU ms", "wall ms"])
    for arguments in (["--help"], ["--version"], ["run", "core.noop"], ["execution", "list", "-n", "10"], ["action", "list"]):
        cpu, wall = measure(arguments, setting.running.cli_environment, repeat)
        table.add("st2 " + " ".join(arguments), cpu * 1000, wall * 1000)
    return table
