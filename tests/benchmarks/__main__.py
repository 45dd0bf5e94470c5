"""Every measurement, over every broker that is here: ``python -m tests.benchmarks [PART ...]``.

Nothing is asserted: the machine decides the times. Compare with the floor of the same run.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks import api, commandline, pipeline, processes, rules
from tests.benchmarks.report import Report
from tests.benchmarks.setting import Setting, start
from tests.running import rabbitmq_binary

_ALONE = {"matcher": "bench_matcher", "conductor": "bench_conductor", "python_runner": "bench_python_runner", "stream": "bench_stream",
          "workflows": "bench_workflows"}  # fmt: skip
"""Parts that are programs of their own and need no platform (or start their own)."""

_PARTS = ("idle", "api", "executions", "rules", "backlog", "cli")


def _measure(report: Report, setting: Setting, parts: set[str], quick: bool) -> None:
    serial, many = (20, 80) if quick else (100, 200)
    if "idle" in parts:
        report.add(setting.name, processes.idle(setting.running, 5 if quick else 20))
    if "executions" in parts:
        pipeline.make_webhook(setting)
        report.add(setting.name, pipeline.pipeline(setting, pipeline.WORKS, serial, many))
        report.add(setting.name, pipeline.more_rules(setting, serial, many))
    if "rules" in parts:
        report.add(setting.name, rules.rules_engine(setting, 100 if quick else 1000, 500 if quick else 5000))
    if "api" in parts:
        report.add(setting.name, api.accepting(setting, 100 if quick else 1000))
    if "backlog" in parts:
        report.add(setting.name, pipeline.backlog(setting, (200, 500) if quick else (200, 5000)))
    if "api" in parts:
        report.add(setting.name, api.start_time(setting, 1 if quick else 3))
    if "cli" in parts:
        report.add(setting.name, commandline.command_line(setting, 2 if quick else 5))
    if "api" in parts:
        report.add(setting.name, api.lists(setting, 1000 if quick else 20_000, 100 if quick else 300))


def _alone(chosen: set[str]) -> None:
    for part, module in _ALONE.items():
        if part in chosen and find_spec(f"tests.benchmarks.{module}"):
            print(f"\n[alone] {module}\n{'-' * (8 + len(module))}", flush=True)
            subprocess.run([sys.executable, "-m", f"tests.benchmarks.{module}"], check=True, timeout=900)


def main() -> None:
    """Measure what was asked for."""
    everything = [*_PARTS, *_ALONE]
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    options.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(everything)} (default: all)")
    options.add_argument("--broker", action="append", choices=["embedded", "rabbitmq"], help="only this one (default: every one that is installed)")
    options.add_argument("--quick", action="store_true", help="few repetitions: does it work, and is something badly slower")
    options.add_argument("--json", type=Path, metavar="FILE", help="write every table to FILE, too")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped
    parts = set(given.parts or everything)
    if parts - set(everything):
        options.error(f"unknown: {', '.join(sorted(parts - set(everything)))}")
    brokers = given.broker or ["embedded", *(["rabbitmq"] if rabbitmq_binary() else [])]
    about = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "load": os.getloadavg(),
        "quick": given.quick,
    }
    print(f"{about['cores']} cores, Python {about['python']}, load average at the start {about['load'][0]:.2f}", flush=True)
    report = Report(about)
    if parts & set(_PARTS):
        for broker in brokers:
            with start(broker) as setting:
                _measure(report, setting, parts, given.quick)
    _alone(parts)
    if given.json:
        report.write(given.json)
        print(f"\nwritten to {given.json}")


if __name__ == "__main__":
    main()
