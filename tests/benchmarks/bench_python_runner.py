"""Python actions per second through the runner alone, beside the bare cost of a fork and of a fresh interpreter.

Run: python tests/benchmarks/bench_python_runner.py [--count N] [--threads N]
"""

from __future__ import annotations

import argparse
import getpass
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from st2actions.runners.python_script import PythonScriptRunner
from st2common.runners.contract import Job, RunnerSettings

ACTION = """
from st2common.runners.base_action import Action


class Echo(Action):
    def run(self, value):
        print("value", value)
        return {"value": value}
"""


def milliseconds(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Median and 95th percentile of ``count`` runs."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[18]


def bare_fork() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--threads", type=int, default=8)
    options = parser.parse_args()
    runner = PythonScriptRunner()
    with tempfile.TemporaryDirectory() as pack:
        entry = Path(pack, "actions", "echo.py")
        entry.parent.mkdir()
        entry.write_text(ACTION)
        action = {"ref": "core.echo", "name": "echo", "pack": "core", "entry_point": "echo.py", "parameters": {"value": {"type": "integer"}}}
        settings = RunnerSettings(system_user=getpass.getuser())

        def run(value: int = 0) -> None:
            job = Job(
                "5f00000000000000000000aa", "5f00000000000000000000bb", action, {"timeout": 60}, {"value": value}, pack_path=pack, settings=settings
            )
            outcome = runner.run(job)
            if outcome.result["result"] != {"value": value}:
                raise SystemExit(f"wrong result: {outcome}")

        rows = [("bare fork and wait", milliseconds(bare_fork, options.count))]
        rows.append(("fresh interpreter, nothing imported", milliseconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True), 20)))
        began = time.perf_counter()
        run()
        first = (time.perf_counter() - began) * 1000
        rows.append(("python action, warm", milliseconds(run, options.count)))
        began = time.perf_counter()
        with ThreadPoolExecutor(options.threads) as pool:
            list(pool.map(run, range(options.count)))
        rate = options.count / (time.perf_counter() - began)
    runner.close()
    for name, (median, p95) in rows:
        print(f"{name:40} {median:7.1f} ms p50 {p95:7.1f} ms p95")
    print(f"{'python action, first (starts the parent)':40} {first:7.1f} ms")
    print(f"{f'python actions, {options.threads} threads':40} {rate:7.0f} per second")


if __name__ == "__main__":
    main()
