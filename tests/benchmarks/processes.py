"""Memory and CPU of every process of a platform."""

from __future__ import annotations

import time
from collections.abc import Mapping

import psutil

from tests.benchmarks.report import Table
from tests.running import RunningPlatform


def family(running: RunningPlatform) -> dict[int, str]:
    """Process id -> service, of every process of the platform with its children, the supervisor included."""
    found: dict[int, str] = {}
    if running.process is not None:
        above = psutil.Process(running.process.pid)
        found = {child.pid: "process manager" for child in [above, *above.children()]}
    for row in running.status():
        if row["pid"]:
            found[row["pid"]] = row["service"]
            found.update((child.pid, row["service"]) for child in psutil.Process(row["pid"]).children(recursive=True))
    return found


def pss_mb(pid: int) -> float:
    """Proportional set size in MB: shared pages are divided among those who share them, so that sums are right."""
    try:
        return float(psutil.Process(pid).memory_full_info().pss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def cpu_seconds(pid: int) -> float:
    """CPU time used so far."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class CpuMeter:
    """CPU seconds that the processes of a platform, servers included, use from now on."""

    def __init__(self, running: RunningPlatform) -> None:
        self._before = {pid: cpu_seconds(pid) for pid in family(running)}

    def used(self) -> float:
        """Seconds of all together so far; processes that started meanwhile do not count."""
        return sum(cpu_seconds(pid) - before for pid, before in self._before.items())


def _by_service(processes: Mapping[int, str], values: Mapping[int, float]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for pid, service in processes.items():
        totals[service] = totals.get(service, 0.0) + values.get(pid, 0.0)
    return totals


def idle(running: RunningPlatform, seconds: float) -> Table:
    """Memory now, and CPU over ``seconds`` in which nobody asks for anything."""
    processes = family(running)
    before = {pid: cpu_seconds(pid) for pid in processes}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    used = {pid: (cpu_seconds(pid) - before[pid]) / elapsed * 100 for pid in processes}
    memory = {pid: pss_mb(pid) for pid in processes}
    counts = _by_service(processes, dict.fromkeys(processes, 1.0))
    by_memory, by_cpu = _by_service(processes, memory), _by_service(processes, used)
    table = Table(f"Idle: memory, and CPU over {seconds:.0f} s", ["process", "processes", "PSS MB", "CPU % of one core"])
    for service in sorted(by_memory, key=lambda name: -by_memory[name]):
        table.add(service, int(counts[service]), by_memory[service], by_cpu[service])
    table.add("all together", len(processes), sum(memory.values()), sum(used.values()))
    return table
