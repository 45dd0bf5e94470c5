"""Executions through the whole platform: latency one by one, throughput many at once, and a backlog; each beside its floor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from st2common import states
from tests.benchmarks import floor
from tests.benchmarks.client import at_once, wait_for
from tests.benchmarks.processes import CpuMeter
from tests.benchmarks.report import Table, median_ms, percentile
from tests.benchmarks.setting import Setting

CONNECTIONS = 8
_HOOK = "bench"


@dataclass(frozen=True)
class Work:
    """One kind of execution.

    Attributes:
        job: method, path and body of the request that leads to one execution.
        action: what runs.
    """

    name: str
    job: tuple[str, str, Any]
    action: str
    shape: floor.Shape


def _run(action: str, **parameters: Any) -> tuple[str, str, Any]:
    return "POST", "/v1/executions", {"action": action, "parameters": parameters}


WORKS = (
    Work("core.noop", _run("core.noop"), "core.noop", floor.NOOP),
    Work("core.local (echo)", _run("core.local", cmd="echo hello"), "core.local", floor.LOCAL),
    Work("Python action (core.uuid)", _run("core.uuid"), "core.uuid", floor.PYTHON),
    Work("webhook -> rule -> core.local", ("POST", f"/v1/webhooks/{_HOOK}", {"host": "a", "load": 5}), "core.local", floor.WEBHOOK),
)


def webhook_rule(name: str, host: str) -> dict[str, Any]:
    """A rule on the webhook of these measurements that runs core.local for one host."""
    return {
        "name": name, "pack": "default", "enabled": True, "trigger": {"type": "core.st2.webhook", "parameters": {"url": _HOOK}},
        "criteria": {"trigger.body.host": {"type": "eq", "pattern": host}, "trigger.body.load": {"type": "gt", "pattern": 1}},
        "action": {"ref": "core.local", "parameters": {"cmd": "echo {{ trigger.body.host }}"}},
    }  # fmt: skip


def make_webhook(setting: Setting) -> None:
    """Make the rule, and wait until the webhook answers."""
    setting.client.json("POST", "/v1/rules", webhook_rule("bench_hook", "a"))


def _ids_since(setting: Setting, since_us: int) -> list[str]:
    return [str(row["_id"]) for row in setting.executions.find({"start_us": {"$gte": since_us}}, ["_id"])]


def latencies(setting: Setting, work: Work, count: int) -> list[float]:
    """Seconds from the request to the final status, one execution after another."""
    taken = []
    for number in range(count + 3):
        since = setting.now_us()
        began = time.perf_counter()
        answer = setting.client.json(*work.job)
        if "webhooks" in work.job[1]:
            id = wait_for(lambda since=since: _ids_since(setting, since), 30, "the execution of a webhook", 0.001)[0]  # type: ignore[misc]
        else:
            id = answer["id"]
        found = setting.wait_final(id)
        if number >= 3:
            taken.append(time.perf_counter() - began)
        if found["status"] != states.SUCCEEDED:
            raise RuntimeError(f"{work.name}: execution {id} is {found['status']}")
    return taken


def throughput(setting: Setting, work: Work, count: int) -> float:
    """Executions per second: ``count`` posted at once, until the last is final (by the times that they carry)."""
    since = setting.now_us()
    at_once(setting.api_url, CONNECTIONS, [work.job] * count)
    rows = setting.wait_all_final(count, since)
    bad = [row for row in rows if row["status"] != states.SUCCEEDED]
    if bad or len(rows) != count:
        raise RuntimeError(f"{work.name}: {len(rows)} executions for {count} requests, not succeeded: {bad[:3]}")
    return count / ((max(row["end_us"] for row in rows) - since) / 1e6)


def pipeline(setting: Setting, works: Sequence[Work], serial: int, many: int) -> Table:
    """The table of latency and throughput."""
    table = Table(
        f"Executions: latency ({serial} one by one), throughput ({many} at once from {CONNECTIONS} connections until all are final)",
        ["what", "p50 ms", "p95 ms", "floor ms", "x floor", "per s", "floor per s", "share of floor", "CPU ms each"],
        [
            "floor: the same durable writes, messages and process start bare, on the same servers, in the same run",
            "CPU: of every process of the platform with its servers, without what an action starts; also right on a busy machine",
        ],
    )
    database, broker = setting.config.database_url, setting.config.messaging_urls[0]
    for work in works:
        floor_ms = median_ms(floor.serial(database, broker, work.shape, max(20, serial // 2)))
        taken = latencies(setting, work, serial)
        throughput(setting, work, max(20, many // 10))
        meter = CpuMeter(setting.running)
        rate = throughput(setting, work, many)
        cpu_ms = meter.used() / many * 1000
        floor_rate = floor.rate(database, broker, work.shape, many)
        p50 = median_ms(taken)
        table.add(work.name, p50, percentile(taken, 95) * 1000, floor_ms, p50 / floor_ms, rate, floor_rate, rate / floor_rate, cpu_ms)
    return table


def more_rules(setting: Setting, serial: int, many: int, rules: int = 100) -> Table:
    """The webhook again, with more rules on the same trigger that do not match."""
    for number in range(rules):
        setting.client.json("POST", "/v1/rules", webhook_rule(f"bench_more_{number}", f"other{number}"))
    work = WORKS[3]
    table = Table(f"The webhook with {rules} more rules on its trigger", ["what", "p50 ms", "p95 ms", "per s"])
    taken = latencies(setting, work, serial)
    table.add(work.name, median_ms(taken), percentile(taken, 95) * 1000, throughput(setting, work, many))
    return table


def drain(setting: Setting, count: int) -> tuple[float, float, list[float], list[float]]:
    """Queue ``count`` noops while no worker runs, then start the worker.

    Returns:
        Executions drained per second; accepted per second from 8 connections; seconds of each request from 8 and from 64.
    """
    setting.stop_service("st2actionrunner")
    since = setting.now_us()
    job = WORKS[0].job
    half = count // 2
    few, seconds = at_once(setting.api_url, 8, [job] * half)
    many, _ = at_once(setting.api_url, 64, [job] * (count - half))
    setting.start_service("st2actionrunner")
    rows = setting.wait_all_final(count, since)
    running = [next(moment for moment, status in row["log"] if status == states.RUNNING) for row in rows]
    span = (max(row["end_us"] for row in rows) - min(running)) / 1e6
    return count / span, half / seconds, few, many


def backlog(setting: Setting, sizes: Sequence[int]) -> Table:
    """Rate of draining by how many wait."""
    table = Table("Backlog: core.noop queued while no worker runs, then drained", ["queued", "drained per s"])
    for size in sizes:
        rate, *_ = drain(setting, size)
        table.add(size, rate)
    first, last = table.rows[0][1], table.rows[-1][1]
    table.notes = (f"the last drains at {last / first:.2f} of the rate of the first",)
    return table


def timed(act: Callable[[], Any]) -> float:
    """Seconds that ``act`` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
