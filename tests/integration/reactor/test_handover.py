"""Two timers engines and two sensor nodes; the process with one of each is killed (architecture.md promise on hand-overs)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.reactor.conftest import Reactor
from tests.integration.reactor.test_timers import gaps
from tests.running import RunningPlatform, end, wait_until

SENSOR = """
from st2reactor.sensor.base import PollingSensor

class {name}(PollingSensor):
    def setup(self): pass
    def poll(self): pass
    def cleanup(self): pass
    def add_trigger(self, trigger): pass
    def update_trigger(self, trigger): pass
    def remove_trigger(self, trigger): pass
"""
NAMES = ("One", "Two", "Three")
PACK = f"shared{os.getpid()}"


def add_pack(directory: Path) -> None:
    (directory / "sensors").mkdir(parents=True)
    (directory / "pack.yaml").write_text(f"name: {directory.name}\ndescription: x\nversion: 1.0.0\nauthor: me\nemail: me@example.com\n")
    for name in NAMES:
        (directory / "sensors" / f"{name.lower()}.py").write_text(SENSOR.format(name=name))
        (directory / "sensors" / f"{name.lower()}.yaml").write_text(
            f"class_name: {name}\nentry_point: {name.lower()}.py\nenabled: true\n"
            f"trigger_types: [{{name: t{name.lower()}, payload_schema: {{type: object}}}}]\n"
        )


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningPlatform]:
    """A platform to do violence to, with a pack of sensors and short leases."""
    platform = RunningPlatform(tmp_path / "data", auth=False, options={"sensorcontainer": {"lease": 4}})
    add_pack(platform.data_dir / "packs" / PACK)
    with platform:
        yield platform


@pytest.fixture
def second(own: RunningPlatform, tmp_path: Path) -> Iterator[None]:
    """One more timers engine and one more sensor node."""
    environment = {**os.environ, "ST2_SENSORCONTAINER__SENSOR_NODE_NAME": "second", "ST2_SENSORCONTAINER__LEASE": "4"}
    started = []
    for module in ("st2reactor.timers.main", "st2reactor.sensor.main"):
        with open(tmp_path / f"{module}.log", "wb") as log:
            command = [sys.executable, "-m", module, "--config-file", str(own.data_dir / "st2.conf")]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
    yield
    assert [end(process) for process in started] == [0, 0]


def sensors() -> dict[str, list[int]]:
    """Running sensors of the pack: name to the parents of its processes."""
    found: dict[str, list[int]] = {name: [] for name in NAMES}
    for process in psutil.process_iter(["cmdline", "ppid", "status"]):
        words = process.info["cmdline"] or []
        for name in NAMES:
            if f"--pack={PACK}" in words and f"--class-name={name}" in words and process.info["status"] != psutil.STATUS_ZOMBIE:
                found[name].append(process.info["ppid"])
    return found


def test_engines_killed__timers_and_sensors_move__nothing_runs_twice(own: RunningPlatform, second: None) -> None:
    reactor = Reactor(own)
    (engines,) = own.pids("st2engines")
    rule = reactor.rule("core.st2.IntervalTimer", {"unit": "seconds", "delta": 1})
    ref = rule["trigger"]["ref"]

    def shared_out() -> bool:
        running = sensors()
        parents = [parent for found in running.values() for parent in found]
        assert all(len(found) <= 1 for found in running.values()), running
        return len(parents) == 3 and len(set(parents)) == 2

    wait_until(shared_out, 30, "each node has its share of the sensors")
    before = reactor.instances(ref, 3)
    assert all(gap > 0.5 for gap in gaps(before)), "one of two engines fires"

    os.kill(engines, signal.SIGKILL)
    moved = wait_until(
        lambda: (now := sensors()) and all(len(found) == 1 for found in now.values()) and engines not in [p for f in now.values() for p in f] and now,
        30,
        "all sensors run again, once each",
    )
    assert {len(found) for found in moved.values()} == {1}
    after = reactor.instances(ref, len(before) + 3, seconds=30)
    assert all(gap > 0.5 for gap in gaps(after)), gaps(after)
    executions = reactor.executions(rule, len(after))
    causes = [execution["trigger_instance"]["id"] for execution in executions]
    assert len(causes) == len(set(causes))
