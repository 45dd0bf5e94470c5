"""A workflow of ten tasks, with a join and with items, while processes are killed: does it go on, once, to the same result?

Every start of a task writes a line into a file, with the id of its execution. What runs in a killed worker cannot be known to have
ended, so it is abandoned and the task fails; the tasks therefore try again (``retry``, which runs all items again), and a task may run
once more exactly for each run in which something was abandoned. For every other process a task has one run, and every execution has
one line.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from st2common import states
from st2common.config import load_config
from st2common.ctl.layout import Layout
from st2common.ctl.supervision import Supervisor
from st2common.models.fields import unpack_json
from st2common.platform import Platform
from tests.faults.load import wait_for
from tests.running import RabbitMq, RunningPlatform

ITEMS = 5
STEPS = 9 + ITEMS
"""Lines that one run writes: nine plain tasks and the items of the tenth."""
VICTIMS = ("st2engines", "st2actionrunner", "db", "bus")
BROKER = "rabbitmq"
OPTIONS: dict[str, dict[str, Any]] = {
    "actionrunner": {"lease": 6},
    "scheduler": {"gc_interval": 1, "execution_scheduling_timeout_threshold_min": 0.05},
    "messaging": {"visibility_timeout": 4},
    "workflow_engine": {"sweep_idle_sec": 3},
}
"""Short leases, so that a run is short; the mechanisms are the same."""
_GIVE_UP_S = 90.0
_PACK = "workflow_faults"

_PARAMETERS = "{ledger: {type: string}}"
_COMMAND = "echo {name} $ST2_ACTION_EXECUTION_ID >> <% ctx(ledger) %>; sleep 0.2; echo done-{name}"
_PLAIN = {
    "prepare": ["left", "right", "fan"], "left": ["left_again"], "left_again": ["gather"], "right": ["right_again"],
    "right_again": ["gather"], "gather": ["check"], "check": ["report"], "report": ["finish"], "finish": [],
}  # fmt: skip
_RETRY = "    retry: {when: <% failed() %>, count: 10}\n"
EXPECTED = {
    "values": [f"done-{name}" for name in ("left_again", "right_again", "gather", "finish")],
    "items": [f"done-fan{number}" for number in range(ITEMS)],
}


def definition() -> str:
    """The workflow."""
    lines = ["version: 1.0\ninput: [ledger]\ntasks:\n"]
    for name, following in _PLAIN.items():
        join = "    join: all\n" if name == "gather" else ""
        then = f"    next:\n      - when: <% succeeded() %>\n        publish: [{{{name}: <% result().stdout %>}}]\n"
        then += f"        do: [{', '.join(following)}]\n" if following else ""
        lines.append(f'  {name}:\n{join}    action: core.local\n    input: {{cmd: "{_COMMAND.format(name=name)}"}}\n{_RETRY}{then}')
    lines.append(
        f"  fan:\n    with: {{items: number in <% range({ITEMS}).toList() %>, concurrency: 2}}\n    action: core.local\n"
        f'    input: {{cmd: "{_COMMAND.format(name="fan<% item(number) %>")}"}}\n{_RETRY}'
        "    next:\n      - when: <% succeeded() %>\n        publish: [{fan: <% result().select($.stdout) %>}]\n        do: [gather]\n"
        "output:\n  - values: [<% ctx(left_again) %>, <% ctx(right_again) %>, <% ctx(gather) %>, <% ctx(finish) %>]\n  - items: <% ctx(fan) %>\n"
    )
    return "".join(lines)


@dataclass
class Outcome:
    """What came of one run.

    Attributes:
        kills: (step, victim) that were killed in it.
        twice: executions that wrote more than one line, and tasks that ran again without anything abandoned.
        seconds: from the request to the final status.
    """

    kills: list[tuple[int, str]]
    status: str = ""
    lines: int = 0
    abandoned: int = 0
    twice: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class WorkflowFaults:
    """A platform, and runs of the workflow on it."""

    def __init__(self, root: Path, running: RunningPlatform, broker: RabbitMq | None = None) -> None:
        self._root = root
        self._running = running
        self._broker = broker
        self._layout = Layout(running.data_dir)
        self._platform = Platform(load_config([str(self._layout.conf)], environ={}))
        self._install()

    def close(self) -> None:
        """Close the connections of this process."""
        self._platform.close()

    def _install(self) -> None:
        pack = self._layout.root / "packs" / _PACK
        (pack / "actions" / "workflows").mkdir(parents=True)
        (pack / "pack.yaml").write_text(f"name: {_PACK}\nref: {_PACK}\nversion: 1.0.0\nauthor: t\nemail: t@example.com\ndescription: faults\n")
        (pack / "actions" / "ten.yaml").write_text(
            f"name: ten\nrunner_type: orquesta\nentry_point: workflows/ten.yaml\nenabled: true\nparameters: {_PARAMETERS}\n"
        )
        (pack / "actions" / "workflows" / "ten.yaml").write_text(definition())
        body = {"packs": [_PACK], "types": ["actions"]}
        requests.post(f"{self._running.api_url}/v1/packs/register", json=body, timeout=30).raise_for_status()

    # -- one run -----------------------------------------------------------------------------------------------------

    def run(self, kills: Mapping[int, str]) -> Outcome:
        """Run the workflow; kill -9 a process when a step has begun.

        Args:
            kills: number of the line in the file (from 1) -> victim.
        """
        outcome = Outcome(sorted(kills.items()))
        ledger = self._root / f"ledger-{uuid.uuid4().hex[:8]}"
        self._wait_back()
        began = time.monotonic()
        body = {"action": f"{_PACK}.ten", "parameters": {"ledger": str(ledger)}}
        answer = requests.post(f"{self._running.api_url}/v1/executions", json=body, timeout=30)
        answer.raise_for_status()
        id = answer.json()["id"]
        try:
            for step, victim in sorted(kills.items()):
                wait_for(lambda step=step: _count(ledger) >= step, _GIVE_UP_S, f"step {step} begins")  # type: ignore[misc]
                time.sleep(step * 0.07 % 0.35)  # while the task runs, as it ends, and while the engine takes its step
                self._kill(victim)
            outcome.status = wait_for(lambda: self._final(id), _GIVE_UP_S, f"workflow {id} ends (killed: {sorted(kills.items())})")
        except AssertionError as error:
            outcome.problems.append(str(error))
        outcome.seconds = time.monotonic() - began
        wait_for(lambda: self._judge(outcome, id, ledger), 30, "the database answers")
        return outcome

    def _final(self, id: str) -> str | None:
        document = self._platform.store.executions.get(id, ["status"])
        return document["status"] if document is not None and document["status"] in states.FINAL else None

    def _kill(self, victim: str) -> None:
        if victim == BROKER:
            assert self._broker is not None
            self._broker.kill()
            self._broker.start()
            return
        row = next(row for row in Supervisor(self._layout).processes() if row["name"] == victim)
        if row["pid"]:
            os.kill(row["pid"], signal.SIGKILL)

    def _wait_back(self) -> None:
        def is_back() -> bool:
            rows = Supervisor(self._layout).processes()
            return all(row["statename"] == "RUNNING" for row in rows) and requests.get(f"{self._running.api_url}/healthz", timeout=3).ok

        wait_for(is_back, 60, "everything runs again")

    def _judge(self, outcome: Outcome, id: str, ledger: Path) -> bool:
        rows = self._platform.store.executions.children(id, ["status", "context", "start_us"])
        document = self._platform.store.executions.get(id) or {}
        written = [line.split() for line in ledger.read_text().splitlines()]
        outcome.lines = len(written)
        outcome.abandoned = sum(row["status"] == states.ABANDONED for row in rows)
        by_execution = Counter(execution for _, execution in written)
        doubled = [execution for execution, count in by_execution.items() if count > 1]
        silent = [str(row["_id"]) for row in rows if row["status"] == states.SUCCEEDED and not by_execution[str(row["_id"])]]
        extra = _unfounded(rows)
        outcome.twice = len(doubled) + len(extra)
        if doubled or extra or silent:
            outcome.problems.append(f"ran twice: executions {doubled}, tasks without a reason {extra}; succeeded without a line: {silent}")
        if outcome.status != states.SUCCEEDED:
            outcome.problems.append(f"ended {outcome.status or document.get('status')}: {unpack_json(document.get('result'))}")
        elif unpack_json(document["result"]) != {"output": EXPECTED}:
            outcome.problems.append(f"another result: {unpack_json(document['result'])}")
        still_open = [str(row["_id"]) for row in rows if row["status"] not in states.FINAL]
        if still_open:
            outcome.problems.append(f"children that did not end: {still_open}")
        if not outcome.abandoned and outcome.lines != STEPS:
            outcome.problems.append(f"{outcome.lines} lines instead of {STEPS}")
        return True


def _count(ledger: Path) -> int:
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


def _unfounded(rows: list[dict[str, Any]]) -> list[str]:
    """Tasks that ran more often than once and once more for each run in which something was abandoned."""
    runs: dict[str, set[str]] = {}
    lost: dict[str, set[str]] = {}
    for row in rows:
        task = unpack_json(row["context"])["orquesta"]
        runs.setdefault(task["task_name"], set()).add(task["task_execution_id"])
        if row["status"] == states.ABANDONED:
            lost.setdefault(task["task_name"], set()).add(task["task_execution_id"])
    return [name for name, found in runs.items() if len(found) != 1 + len(lost.get(name, ()))]


def report(outcomes: list[Outcome]) -> list[str]:
    """Print the counts by victim; returns every broken promise."""
    print(f"\n{'killed':28}{'runs':>6}{'kills':>7}{'succeeded':>11}{'tasks begun':>13}{'abandoned':>11}{'twice':>7}{'slowest s':>11}")
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        victims = sorted({victim for _, victim in outcome.kills})
        groups.setdefault(victims[0] if len(victims) == 1 else "all in turn" if victims else "nothing", []).append(outcome)
    for name, rows in groups.items():
        succeeded = sum(row.status == states.SUCCEEDED for row in rows)
        print(
            f"{name:28}{len(rows):6}{sum(len(row.kills) for row in rows):7}{succeeded:11}{sum(row.lines for row in rows):13}"
            f"{sum(row.abandoned for row in rows):11}{sum(row.twice for row in rows):7}{max(row.seconds for row in rows):11.1f}"
        )
    problems = [f"{row.kills}: {problem}" for row in outcomes for problem in row.problems]
    for problem in problems:
        print(f"BROKEN: {problem}")
    return problems
