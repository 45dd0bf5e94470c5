"""The API: lists, single executions, accepting executions, and how fast a process of it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from bson import ObjectId

from st2common.ctl import servers
from st2common.ctl.layout import Layout
from tests.benchmarks import pipeline
from tests.benchmarks.client import at_once, wait_for
from tests.benchmarks.report import Table, percentile
from tests.benchmarks.setting import Setting
from tests.running import end, port_answers

_LIST = "/v1/executions?limit=50"
_WIDTHS = (8, 64)


def _row(table: Table, setting: Setting, what: str, job: tuple[str, str, Any], count: int) -> None:
    for connections in _WIDTHS:
        taken, seconds = at_once(setting.api_url, connections, [job] * count)
        table.add(what, connections, len(taken) / seconds, percentile(taken, 50) * 1000, percentile(taken, 99) * 1000)


def fill(setting: Setting, total: int) -> None:
    """Copy a finished execution until there are ``total``, one second apart, straight into the database."""
    executions = setting.executions
    sample = executions.find_one({"status": "succeeded"})
    assert sample is not None, "run an execution first"
    there = executions.count_documents({})
    for start in range(there, total, 1000):
        copies = []
        for number in range(start, min(start + 1000, total)):
            id = ObjectId()
            copies.append(
                {**sample, "_id": id, "start_us": sample["start_us"] - number * 1_000_000, "links": [f"trace:{id}", "root", f"tag:execution-{id}"]}
            )
        executions.insert_many(copies, ordered=False)


def lists(setting: Setting, large: int, requests: int) -> Table:
    """Reading: the first page of few and of many, and one."""
    table = Table("API, reading executions", ["request", "connections", "per s", "p50 ms", "p99 ms"])
    id = setting.client.json(*pipeline.WORKS[0].job)["id"]
    setting.wait_final(id)
    fill(setting, 100)
    _row(table, setting, "list 50 of 100", ("GET", _LIST, None), requests)
    fill(setting, large)
    _row(table, setting, f"list 50 of {large}", ("GET", _LIST, None), requests)
    _row(table, setting, f"list 50 of {large} of one action", ("GET", f"{_LIST}&action=core.noop", None), requests)
    _row(table, setting, "get one", ("GET", f"/v1/executions/{id}", None), requests)
    return table


def accepting(setting: Setting, count: int) -> Table:
    """POST while no worker competes for the CPU; what was accepted is drained afterwards."""
    table = Table("API, accepting executions (POST core.noop while no worker runs)", ["connections", "per s", "p50 ms", "p99 ms"])
    setting.stop_service("st2actionrunner")
    since = setting.now_us()
    for connections in _WIDTHS:
        taken, seconds = at_once(setting.api_url, connections, [pipeline.WORKS[0].job] * count)
        table.add(connections, len(taken) / seconds, percentile(taken, 50) * 1000, percentile(taken, 99) * 1000)
    setting.start_service("st2actionrunner")
    setting.wait_all_final(count * len(_WIDTHS), since)
    return table


def start_time(setting: Setting, repeat: int = 3) -> Table:
    """From starting a further API process to its first answer."""
    taken, cpu = [], []
    for _ in range(repeat):
        port = servers.free_port()
        environment = {**os.environ, "ST2_API__PORT": str(port)}
        began = time.perf_counter()
        command = [sys.executable, "-m", "st2api.main", "--config-file", str(Layout(setting.running.data_dir).conf)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda port=port: port_answers(port), 30, "the API process answers", 0.01)  # type: ignore[misc]
            taken.append(time.perf_counter() - began)
        finally:
            before = os.times()
            end(process)
            after = os.times()
        cpu.append(after.children_user + after.children_system - before.children_user - before.children_system)
    table = Table("Start of one API process", ["what", "s"])
    table.add("until it listens (best)", min(taken))
    table.add("CPU from its start to its end (best)", min(cpu))
    return table
