"""One run: a platform, a load, one fault after another, the count at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from st2common import states
from st2common.config import load_config
from st2common.ctl.layout import Layout
from st2common.ctl.supervision import Supervisor
from st2common.platform import Platform
from tests.faults.judge import Row, judge, open_work
from tests.faults.load import Load, rule, wait_for
from tests.running import RabbitMq, RunningPlatform

SERVERS = ("db", "bus")
_OPTIONS: dict[str, dict[str, Any]] = {
    "actionrunner": {"lease": 6},
    "scheduler": {"gc_interval": 2, "execution_scheduling_timeout_threshold_min": 0.1},
    "rulesengine": {"stale": 6},
    "messaging": {"visibility_timeout": 6},
}
"""Short leases, so that a run is short; the mechanisms are the same."""


@dataclass(frozen=True)
class Timing:
    """Seconds: of load before and after each fault, of an outage, of the longest wait for everything to be final; and rounds of all."""

    before: float
    after: float
    outage: float
    settle: float
    rounds: int = 1


SHORT = Timing(before=0.3, after=0.8, outage=2, settle=45)
LONG = Timing(before=3, after=8, outage=10, settle=120, rounds=3)


class Scenario:
    """A running platform under load."""

    def __init__(self, root: Path, running: RunningPlatform, broker: RabbitMq | None, timing: Timing) -> None:
        self.running = running
        self.broker = broker
        self.timing = timing
        self.ledger = root / "ledger"
        self.load = Load(running.api_url, self.ledger)
        self.platform = Platform(load_config([str(Layout(running.data_dir).conf)], environ={}))
        self._supervisor = Supervisor(Layout(running.data_dir))

    def close(self) -> None:
        """Close the connections of this process."""
        self.platform.close()

    # -- faults ------------------------------------------------------------------------------------------------------

    def faults(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """(name, what to do) of every fault: each kind of process killed, each server killed and kept away."""
        names = list(dict.fromkeys(row["service"] for row in self.running.status() if row["pid"]))
        for name in names:
            if name != "supervisord" and not name.endswith(":action"):
                yield f"kill -9 {name}", lambda name=name: self._kill(name)  # type: ignore[misc]
        for name in names:
            if name in SERVERS:
                yield f"{name} away for {self.timing.outage:.0f} s", lambda name=name: self._take_away(name)  # type: ignore[misc]
        if self.broker is not None:
            yield f"kill -9 RabbitMQ, away for {self.timing.outage:.0f} s", self._kill_rabbitmq
        if "supervisord" in names:
            yield "kill -9 supervisord", lambda: self._kill("supervisord")

    def _kill(self, name: str) -> None:
        if name == "st2actionrunner":
            for _ in range(3):
                self.load.send("execution", sleep_s=2)
            time.sleep(0.3)
        pids = self.running.pids(name)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._wait_back()

    def _take_away(self, name: str) -> None:
        """Killed without warning, and not started again for a while."""
        for pid in self.running.pids(name):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self._is_stopped(name), 10, f"{name} is stopped")
        time.sleep(self.timing.outage)
        self._supervisor.start_program(name)
        self._wait_back()

    def _is_stopped(self, name: str) -> bool:
        self._supervisor.stop_program(name)  # raises while it is between two states
        return True

    def _kill_rabbitmq(self) -> None:
        assert self.broker is not None
        self.broker.kill()
        time.sleep(self.timing.outage)
        self.broker.start()
        self._wait_back()

    def _wait_back(self) -> None:
        """Every program runs and every HTTP service answers."""

        def is_back() -> bool:
            rows = [row for row in self.running.status() if ":" not in row["service"]]
            if not rows or any(row["state"] != "RUNNING" for row in rows):
                return False
            urls = (self.running.api_url, self.running.auth_url, self.running.stream_url)
            return all(requests.get(f"{url}/healthz", timeout=3).status_code < 500 for url in urls)

        wait_for(is_back, 60, "everything runs again")

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> list[Row]:
        """Everything in turn. Returns the counts by fault."""
        requests.post(f"{self.running.api_url}/v1/rules", json=rule(self.ledger), timeout=10).raise_for_status()
        self.load.start()
        done = {"action_ref": "core.uuid", "status": states.SUCCEEDED}
        wait_for(lambda: self.platform.store.executions.collection.count_documents(done), 30, "the load runs")
        for number in range(self.timing.rounds):
            for name, act in list(self.faults()):
                self.load.phase = f"{name} (round {number + 1})" if self.timing.rounds > 1 else name
                time.sleep(self.timing.before)
                act()
                time.sleep(self.timing.after)
        self.load.phase = "after"
        self.load.stop()
        self._settle()
        return judge(self.platform, self.load.units, self.ledger)

    def _settle(self) -> None:
        """Wait until nothing is open; what still is then is told by the judge."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not open_work(self.platform), self.timing.settle, "everything is final")
        self.still_open = open_work(self.platform)
        time.sleep(2)  # whatever would run twice gets its chance


@contextlib.contextmanager
def scenario(broker: str, timing: Timing) -> Iterator[Scenario]:
    """A platform for one run; ``broker``: "embedded" or "rabbitmq"."""
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="st2-faults-", ignore_cleanup_errors=True)))
        rabbitmq = None
        if broker == "rabbitmq":
            (root / "rabbitmq").mkdir()
            rabbitmq = stack.enter_context(RabbitMq(root / "rabbitmq"))
        running = stack.enter_context(RunningPlatform(root / "data", messaging_url=rabbitmq.url if rabbitmq else None, options=_OPTIONS))
        made = Scenario(root, running, rabbitmq, timing)
        stack.callback(made.close)
        yield made


def report(rows: list[Row], still_open: dict[str, int]) -> list[str]:
    """Print the counts; returns every broken promise."""
    print("\n" + Row.header())
    total = Row("all together")
    for row in rows:
        print(row)
        for name in ("sent", "accepted", "refused", "unknown", "unknown_done", "retries", "final", "abandoned", "failed", "twice", "lost"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
    print(total)
    problems = [f"{row.phase}: {problem}" for row in rows for problem in row.problems]
    if still_open:
        problems.append(f"not final at the end: {still_open}")
    for row in rows:
        for remark in row.remarks:
            print(f"{row.phase}: {remark}")
    for problem in problems:
        print(f"BROKEN: {problem}")
    return problems
