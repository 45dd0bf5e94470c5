"""The long form: every kind of process killed three times, over every broker that is here. ``python -m tests.faults``."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.faults.scenario import LONG, SHORT, report, scenario
from tests.running import rabbitmq_binary


def main() -> None:
    """Run and count; exit code 1 when a promise was broken."""
    options = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    options.add_argument("--broker", action="append", choices=["embedded", "rabbitmq"], help="only this one")
    options.add_argument("--short", action="store_true", help="one round with short pauses, as in make test")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is stopped
    problems = []
    for broker in given.broker or ["embedded", *(["rabbitmq"] if rabbitmq_binary() else [])]:
        began = time.monotonic()
        with scenario(broker, SHORT if given.short else LONG) as run:
            rows = run.run()
            problems += report(rows, run.still_open)
        print(f"[{broker}] {time.monotonic() - began:.0f} s", flush=True)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
