"""The event stream with thousands of idle listeners in one process: memory per connection, fan-out latency, CPU when idle.

Run it by hand: ``python -m tests.benchmarks.bench_stream [connections]``. It starts SecantusDB, Valkey and one ``st2stream`` process.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil

from st2common.bus import EVENTS
from st2common.platform import Platform
from tests.integration.service_process import ServiceProcess
from tests.running import Valkey, start_database

_EVENTS = 20
_CONNECTING = 100
_IDLE_S = 5
_HEAD_BYTES = 4096


class Listener:
    """One connection; remembers when each event arrived."""

    def __init__(self) -> None:
        self.arrived: list[float] = []

    async def connect(self, port: int) -> None:
        """Connect and wait for the first newline of the body."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(b"GET /v1/stream?events=st2.announcement__bench HTTP/1.1\r\nHost: bench\r\n\r\n")
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        await self._reader.readuntil(b"\n\r\n")

    async def read(self) -> None:
        """Note the arrival of events until the connection ends."""
        while line := await self._reader.readline():
            if line.startswith(b"data: "):
                self.arrived.append(time.monotonic())

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def listen(service: ServiceProcess, connections: int) -> dict[str, float]:
    """Connect that many listeners, publish events, and measure."""
    assert service.process is not None
    worker = psutil.Process(service.process.pid).children()[0]
    platform = Platform(service.config)
    first = Listener()
    await first.connect(service.port)
    first.close()
    await asyncio.sleep(1)
    before = _memory(worker)
    listeners = [Listener() for _ in range(connections)]
    began = time.monotonic()
    for start in range(0, connections, _CONNECTING):
        await asyncio.gather(*(listener.connect(service.port) for listener in listeners[start : start + _CONNECTING]))
    connecting = time.monotonic() - began
    await asyncio.sleep(1)
    held = _memory(worker) - before
    idle = await _cpu(worker, _IDLE_S)
    tasks = [asyncio.ensure_future(listener.read()) for listener in listeners]
    first_us: list[float] = []
    every_us: list[float] = []
    busy = sum(worker.cpu_times()[:2])
    for number in range(_EVENTS):
        sent = time.monotonic()
        await asyncio.to_thread(
            platform.bus.publish, EVENTS, {"event": "st2.announcement__bench", "payload": {"payload": {"n": number}, "trace_context": None}}
        )
        while any(len(listener.arrived) <= number for listener in listeners):
            await asyncio.sleep(0.02)
        delays = sorted(listener.arrived[number] - sent for listener in listeners)
        first_us.append(delays[0] * 1000)
        every_us.extend(delay * 1000 for delay in delays)
    busy = sum(worker.cpu_times()[:2]) - busy
    for listener in listeners:
        listener.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    platform.close()
    quantiles = statistics.quantiles(every_us, n=100)
    return {
        "connections": connections, "connect_per_s": connections / connecting, "kib_per_connection": held / connections / 1024,
        "worker_mib_without": before / 2**20, "idle_cpu_percent": idle * 100, "first_ms_p50": statistics.median(first_us),
        "fanout_ms_p50": quantiles[49], "fanout_ms_p95": quantiles[94], "fanout_ms_max": max(every_us),
        "server_cpu_us_per_delivery": busy / (_EVENTS * connections) * 1e6,
    }  # fmt: skip


async def _cpu(process: psutil.Process, seconds: float) -> float:
    """CPU seconds per second."""
    began = sum(process.cpu_times()[:2])
    await asyncio.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - began) / seconds


def _memory(process: psutil.Process) -> int:
    """Memory of its own, bytes."""
    return int(process.memory_full_info().uss)


def main(connections: int) -> dict[str, float]:
    """Start the servers, measure, print."""
    limit = connections * 2 + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(hard, limit)))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for part in ("db", "bus"):
            (directory / part).mkdir()
        options = {"auth": {"enable": "false"}}
        with start_database(directory / "db") as url, Valkey(directory / "bus") as bus:
            with ServiceProcess("st2api.stream.main", "stream", directory, url, bus.url, options) as service:
                found = asyncio.run(listen(service, connections))
    print(json.dumps({key: round(value, 1) for key, value in found.items()}, indent=1))
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
