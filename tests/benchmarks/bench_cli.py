"""Processor time that the command line itself costs, from the start of the interpreter to the exit.

    python -m tests.benchmarks.bench_cli [--runs 10] [--api-url http://127.0.0.1:9101/v1 --stream-url http://127.0.0.1:9102/v1]

Without a platform only the commands that ask no server are measured. Upstream's `st2 --version` costs 0.41 s on two cores of this kind.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time

LOCAL = (["--version"], ["--help"], ["run", "--help"])
REMOTE = (["action", "list"], ["action", "list", "-j"], ["run", "core.noop"], ["run", "core.noop", "-j"], ["run", "core.local", "cmd=date"])


def measure(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of processor time and of waiting of one invocation. Raises `CalledProcessError` when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "st2client.main", *words], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60)
    waited_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime), waited_s


def main() -> None:
    """Run every command a few times and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--api-url")
    parser.add_argument("--stream-url")
    options = parser.parse_args()

    # Compiled modules are part of an installation: without them every run would pay for the compiler.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if options.api_url:
        environment |= {"ST2_API_URL": options.api_url, "ST2_STREAM_URL": options.stream_url or options.api_url}
    print(f"{'command':<28}{'CPU s':>8}{'wall s':>8}")
    for words in [*LOCAL, *(REMOTE if options.api_url else ())]:
        measure(words, environment)
        figures = [measure(words, environment) for _ in range(options.runs)]
        cpu_s, wall_s = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"st2 {' '.join(words):<24}{cpu_s:>8.3f}{wall_s:>8.3f}")


if __name__ == "__main__":
    main()
