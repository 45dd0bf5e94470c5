"""Events per second that one process matches against the rules of one trigger.

    python -m tests.benchmarks.bench_matcher [--rules 1000] [--hosts 1000] [--events 50000]

Each rule has two criteria: ``eq`` on the host and ``gt`` on a number. ``--hosts`` is the number of different hosts that rules ask for:
equal to ``--rules`` means that one rule in a thousand is a candidate, 1 that all are. ``--naive`` evaluates every rule instead.
"""

from __future__ import annotations

import argparse
import time

from st2common.criteria import IndexedRule, RuleIndex, compile_criteria, select


def make_rules(count: int, hosts: int) -> list[IndexedRule]:
    """``count`` rules over ``hosts`` hosts."""
    return [
        IndexedRule(
            f"bench.r{number}",
            compile_criteria(
                {
                    "trigger.host": {"type": "eq", "pattern": f"host{number % hosts}"},
                    "trigger.load": {"type": "gt", "pattern": number % 100},
                },
                f"bench.r{number}",
            ),
        )
        for number in range(count)
    ]


def main() -> None:
    """Build the rules, run the events, print the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--naive", action="store_true", help="evaluate every rule, without the index")
    options = parser.parse_args()

    rules = make_rules(options.rules, options.hosts)
    payloads = [{"host": f"host{number * 7 % options.hosts}", "load": number * 37 % 100, "text": "x" * 50} for number in range(1500)]
    started = time.perf_counter()
    index = RuleIndex(rules)
    built = time.perf_counter()
    matched = 0
    for number in range(options.events):
        payload = payloads[number % len(payloads)]
        if options.naive:
            matched += sum(rule.criteria.match(payload).ok for rule in rules)
        else:
            matched += len(select(index, payload).matched)
    ended = time.perf_counter()
    rate = options.events / (ended - built)
    print(f"index of {len(index)} rules built in {(built - started) * 1000:.1f} ms")
    print(f"{options.events} events, {matched} matches: {rate:,.0f} events/s")


if __name__ == "__main__":
    main()
