"""Workflows through the whole platform: latency and throughput of a short one, a task with many items, a large context.

python -m tests.benchmarks.bench_workflows [--broker embedded|rabbitmq] [--quick]
"""

from __future__ import annotations

import argparse
import os
import random
import string
from pathlib import Path
from typing import Any

import bson
from bson import ObjectId

from st2common import states
from tests.benchmarks.client import at_once
from tests.benchmarks.pipeline import CONNECTIONS, WORKS, latencies, throughput
from tests.benchmarks.report import Report, Table, median_ms, percentile
from tests.benchmarks.setting import Setting, start

_PACK = "bench_workflows"
_TASKS_WITH_CONTEXT = 20
_CONTEXT_BYTES = 1_000_000

_THREE = """\
version: 1.0
tasks:
  first: {action: core.noop, next: [{when: <% succeeded() %>, do: second}]}
  second: {action: core.noop, next: [{when: <% succeeded() %>, do: third}]}
  third: {action: core.noop}
"""
_FAN = """\
version: 1.0
input: [numbers]
tasks:
  each:
    with: n in <% ctx(numbers) %>
    action: core.noop
output:
  - count: <% task(each).result.items.len() %>
"""
_PARAMETERS = {"three": {}, "fan": {"numbers": {"type": "array"}}, "context": {"data": {"type": "string"}}}


def _context_workflow() -> str:
    """Every task publishes the large variable again."""
    lines = ["version: 1.0", "input: [data]", "tasks:"]
    for number in range(_TASKS_WITH_CONTEXT):
        then = f", do: t{number + 1}" if number < _TASKS_WITH_CONTEXT - 1 else ""
        lines.append(f"  t{number}: {{action: core.noop, next: [{{publish: [{{data: <% ctx(data) %>}}, {{n: {number}}}]{then}}}]}}")
    return "\n".join([*lines, "output: [{n: <% ctx(n) %>}]", ""])


def _install(setting: Setting) -> None:
    """A pack with the three workflows."""
    pack = Path(setting.running.data_dir) / "packs" / _PACK
    (pack / "actions" / "workflows").mkdir(parents=True)
    (pack / "pack.yaml").write_text(f"name: {_PACK}\nref: {_PACK}\nversion: 1.0.0\nauthor: bench\nemail: bench@example.com\ndescription: bench\n")
    for name, text in (("three", _THREE), ("fan", _FAN), ("context", _context_workflow())):
        (pack / "actions" / "workflows" / f"{name}.yaml").write_text(text)
        (pack / "actions" / f"{name}.yaml").write_text(
            f"name: {name}\nrunner_type: orquesta\nentry_point: workflows/{name}.yaml\nenabled: true\nparameters: {_PARAMETERS[name]}\n"
        )
    setting.client.json("POST", "/v1/packs/register", {"packs": [_PACK], "types": ["actions"]})


def _job(name: str, **parameters: Any) -> tuple[str, str, Any]:
    return "POST", "/v1/executions", {"action": f"{_PACK}.{name}", "parameters": parameters}


def _run(setting: Setting, job: tuple[str, str, Any]) -> dict[str, Any]:
    """Run one workflow to its end; its execution document."""
    id = setting.client.json(*job)["id"]
    setting.wait_final(id, 300, look_every_s=0.02)
    document = setting.executions.find_one({"_id": ObjectId(id)})
    if document is None or document["status"] != states.SUCCEEDED:
        raise RuntimeError(f"{job[2]['action']}: execution {id} is {document and document['status']}")
    return document


def _three(setting: Setting, serial: int, many: int) -> Table:
    table = Table(
        f"Three core.noop one after another ({serial} one by one; {many} at once from {CONNECTIONS} connections)",
        ["what", "p50 ms", "p95 ms", "x core.noop", "per s"],
        ["goals: at most 8 x core.noop, at least 20 per s"],
    )
    noop = WORKS[0]
    plain = latencies(setting, noop, serial)
    table.add("core.noop", median_ms(plain), percentile(plain, 95) * 1000, 1.0, throughput(setting, noop, many))
    taken = []
    for number in range(serial + 3):
        document = _run(setting, _job("three"))
        if number >= 3:
            taken.append((document["end_us"] - document["start_us"]) / 1e6)
    table.add("workflow", median_ms(taken), percentile(taken, 95) * 1000, median_ms(taken) / median_ms(plain), _workflow_rate(setting, many))
    return table


def _workflow_rate(setting: Setting, many: int) -> float:
    since = setting.now_us()
    at_once(setting.api_url, CONNECTIONS, [_job("three")] * many)
    rows = setting.wait_all_final(many * 4, since)
    bad = [row for row in rows if row["status"] != states.SUCCEEDED]
    if bad or len(rows) != many * 4:
        raise RuntimeError(f"{len(rows)} executions for {many} workflows, not succeeded: {bad[:3]}")
    return many / ((max(row["end_us"] for row in rows) - since) / 1e6)


def _fan(setting: Setting, sizes: tuple[int, ...]) -> Table:
    table = Table(
        "One task with items, each core.noop", ["items", "s", "tasks per s", "ms per task"], ["goals: at least 80 per s, flat cost per task"]
    )
    _run(setting, _job("fan", numbers=[0]))
    for size in sizes:
        rounds = max(1, 50 // size)
        spent = 0.0
        for _ in range(rounds):
            document = _run(setting, _job("fan", numbers=list(range(size))))
            spent += (document["end_us"] - document["start_us"]) / 1e6
        spent /= rounds
        table.add(size, spent, size / spent, spent / size * 1000)
    return table


def _context(setting: Setting) -> Table:
    table = Table(
        f"A context of 1 MB through {_TASKS_WITH_CONTEXT} tasks, each of which publishes it again",
        ["where", "documents", "bytes", "x context"],
        ["the execution holds it once as its parameter, the workflow once"],
    )
    text = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=_CONTEXT_BYTES))
    document = _run(setting, _job("context", data=text))
    workflow = setting.platform.store.workflows.by_execution(str(document["_id"]))
    database = setting.executions.database
    for name, criteria in (
        ("executions", {"$or": [{"_id": document["_id"]}, {"links": f"parent:{document['_id']}"}]}),
        ("workflow_executions", {"_id": workflow}),
        ("workflow_parts", {"workflow": str(workflow)}),
    ):
        rows = [len(bson.encode(row)) for row in database[name].find(criteria)]
        table.add(name, len(rows), sum(rows), sum(rows) / _CONTEXT_BYTES)
    table.add("seconds", None, (document["end_us"] - document["start_us"]) / 1e6, None)
    return table


def measure(setting: Setting, quick: bool) -> list[Table]:
    """All tables."""
    _install(setting)
    serial, many = (15, 60) if quick else (50, 200)
    sizes = (10, 100, 300) if quick else (10, 100, 1000)
    return [_three(setting, serial, many), _fan(setting, sizes), _context(setting)]


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_workflows", description=__doc__)
    options.add_argument("--broker", choices=["embedded", "rabbitmq"], default="embedded")
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    report = Report({"load": os.getloadavg()})
    print(f"load average at the start {os.getloadavg()[0]:.2f}", flush=True)
    with start(given.broker) as setting:
        report.add(given.broker, *measure(setting, given.quick))


if __name__ == "__main__":
    main()
